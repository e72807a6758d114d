// Numbers as people read them: durations, sizes, money, counts, dates.
// Pure: the clock is an argument, and the locale is fixed.

const THIN = " "; // narrow no-break space between groups of three, as in the worker's reports

/** 12044 → "12 044". */
export function count(n: number): string {
  return Math.round(n).toString().replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
}

/** `1 photo`, `3 photos`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** 38211002 → "38.2 MB" (decimal units, as storage is billed). */
export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = n / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** 2 significant digits, as `splat` prints it: 12.3 → "12 m", 1.31 → "1.3 m", 0.45 → "45 cm". */
export function length(metres: number): string {
  if (metres >= 0.995) return `${metres.toFixed(metres >= 9.95 ? 0 : 1)} m`;
  return metres >= 0.0095 ? `${(100 * metres).toFixed(0)} cm` : `${(1000 * metres).toFixed(1)} mm`;
}

/** Exact, for the past: 0.8 → "0.8 s", 149 → "2 min 29 s", 4000 → "1 h 7 min". */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return whole % 60 === 0 ? `${Math.floor(whole / 60)} min` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(whole / 60);
  return minutes % 60 === 0 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Rounded, for the future: 71 → "about 1 min", 20 → "under a minute". */
export function about(seconds: number): string {
  if (seconds < 45) return "under a minute";
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `about ${Math.max(1, minutes)} min`;
  const half = Math.round(seconds / 1800) / 2;
  return `about ${half === Math.floor(half) ? half : half.toFixed(1)} h`;
}

/** Enough digits that a small price is not shown as zero: 0.0462 → "$0.046", 3.2 → "$3.20". */
export function usd(value: number): string {
  if (value === 0) return "$0.00";
  if (value < 0.0005) return "under $0.001";
  if (value < 0.1) return `$${value.toFixed(3)}`;
  return `$${value.toFixed(2)}`;
}

/** "2026-11-23T…" or "2026-11-23" → "23 Nov 2026"; anything else is returned unchanged. */
export function day(iso: string): string {
  const date = new Date(iso.length === 10 ? `${iso}T12:00:00Z` : iso);
  if (Number.isNaN(date.getTime())) return iso;
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

/** Age of a list entry: "just now", "5 min ago", "3 h ago", then the date. */
export function ago(iso: string, nowMs: number): string {
  const seconds = (nowMs - Date.parse(iso)) / 1000;
  if (Number.isNaN(seconds)) return "";
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return day(iso);
}
