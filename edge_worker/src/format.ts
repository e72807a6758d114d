// Numbers as people read them, in messages.

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** 83886080 is "83.9 MB": decimal units, as storage is billed. */
export function readableBytes(bytes: number): string {
  const unit = Math.min(Math.floor(Math.log10(Math.max(1, bytes)) / 3), BYTE_UNITS.length - 1);
  return `${Number((bytes / 1000 ** unit).toPrecision(3))} ${BYTE_UNITS[unit]}`;
}

/** 0.5 is "$0.50". */
export function readableUsd(usd: number): string {
  return `$${usd.toFixed(2)}`;
}
