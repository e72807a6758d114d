// HTTP byte ranges (RFC 9110, 14): one range of a request header, and where it lies in an object.
// Pure; anything but a single byte range is ignored, as the RFC allows, and the whole object is sent.

export type ByteRange = { readonly offset: number; readonly length?: number } | { readonly suffix: number };

/** The range that a header asks for, or null if there is none that we serve. */
export function parseRange(header: string | undefined): ByteRange | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.replace(/\s/g, "") ?? "");
  const [, first = "", last = ""] = match ?? [];
  if (first === "" && last === "") return null;
  if (first === "") return { suffix: Number(last) };
  const offset = Number(first);
  if (last === "") return { offset };
  return Number(last) < offset ? null : { offset, length: Number(last) - offset + 1 };
}

/** First and last byte of a range in an object of `size` bytes, or null if it lies outside. */
export function locate(range: ByteRange, size: number): { readonly first: number; readonly last: number } | null {
  if ("suffix" in range) {
    return range.suffix === 0 || size === 0 ? null : { first: Math.max(0, size - range.suffix), last: size - 1 };
  }
  if (range.offset >= size) return null;
  return { first: range.offset, last: Math.min(size, range.offset + (range.length ?? size)) - 1 };
}
