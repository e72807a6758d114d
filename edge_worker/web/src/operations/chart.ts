// Where the marks of a small bar chart stand: bars of one or more parts, the scale, a limit. Pure geometry, in px from the top left.
// Draws nothing.

export interface Bar {
  /** Index of the period and of the part within it. */
  readonly period: number;
  readonly part: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Chart {
  readonly bars: readonly Bar[];
  /** The value at the top of the chart: a round number, at least the highest bar and the limit. */
  readonly top: number;
  /** Where the limit's line stands; null without one. */
  readonly limitY: number | null;
}

interface Frame {
  readonly width: number;
  readonly height: number;
  /** A value to draw a line at, such as a budget. */
  readonly limit?: number;
}

/** A mark that is there must be seen, and a gap between bars as well. */
const HEIGHT_MIN = 2;
const GAP = 0.28;

/** periods: for each one the values of its parts, from the bottom up; negative values count as 0. */
export function barChart(periods: readonly (readonly number[])[], { width, height, limit }: Frame): Chart {
  const clean = periods.map((parts) => parts.map((value) => Math.max(0, Number.isFinite(value) ? value : 0)));
  const highest = Math.max(limit ?? 0, ...clean.map((parts) => parts.reduce((sum, value) => sum + value, 0)), 0);
  const top = niceTop(highest);
  const step = periods.length === 0 ? width : width / periods.length;
  const bars = clean.flatMap((parts, period) => {
    let y = height;
    return parts.flatMap((value, part) => {
      if (value === 0) return [];
      const tall = Math.min(y, Math.max(HEIGHT_MIN, (value / top) * height));
      y -= tall;
      return [{ period, part, x: period * step + (step * GAP) / 2, y, width: step * (1 - GAP), height: tall }];
    });
  });
  return { bars, top, limitY: limit === undefined ? null : height - (limit / top) * height };
}

/** The smallest of 1, 2, 5, 10, 20, … that is at least `value`, also below 1; 1 for 0. */
export function niceTop(value: number): number {
  if (value <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  // A little slack: 0.3 / 0.1 is above 3.
  const factor = [1, 2, 5, 10].find((one) => one * unit >= value * (1 - 1e-9)) ?? 10;
  return Number((factor * unit).toPrecision(1));
}

/** Sums up to each period, from the first period of the last one's month (UTC) on. Periods before it are absent. */
export function monthSoFar(days: readonly { readonly at: string; readonly usd: number }[]): { readonly at: string; readonly usd: number }[] {
  const month = days.at(-1)?.at.slice(0, 7);
  let sum = 0;
  return days.filter(({ at }) => at.slice(0, 7) === month).map(({ at, usd }) => ({ at, usd: (sum += usd) }));
}
