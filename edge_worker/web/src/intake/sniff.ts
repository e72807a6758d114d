// The type of a picture by its first bytes, whatever its name says.
// Pure; never looks at more than the first 16 bytes.

export const HEAD_BYTES = 16;
export type PhotoType = "image/jpeg" | "image/png" | "image/webp" | "image/heic";

/** ISO base media brands that phones write for HEIC photos. */
const HEIC_BRANDS = new Set(["heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1"]);
const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

const ascii = (head: Uint8Array, from: number, to: number): string => String.fromCharCode(...head.subarray(from, to));

/** Null when the bytes are none of the four types that the service takes. */
export function sniff(head: Uint8Array): PhotoType | null {
  if (head.length < 12) return null;
  if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) return "image/jpeg";
  if (PNG.every((byte, i) => head[i] === byte)) return "image/png";
  if (ascii(head, 0, 4) === "RIFF" && ascii(head, 8, 12) === "WEBP") return "image/webp";
  if (ascii(head, 4, 8) === "ftyp" && HEIC_BRANDS.has(ascii(head, 8, 12))) return "image/heic";
  return null;
}
