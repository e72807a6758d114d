// Where the marks of a small chart stand.
import { describe, expect, it } from "vitest";

import { barChart, monthSoFar, niceTop } from "../../src/operations/chart.ts";

const FRAME = { width: 100, height: 50 };

describe("barChart", () => {
  it("gives each period an equal step and each value its share of the height", () => {
    const { bars, top, limitY } = barChart([[5], [10]], FRAME);
    expect(top).toBe(10);
    expect(limitY).toBeNull();
    expect(bars.map(({ period, y, height }) => [period, y, height])).toEqual([[0, 25, 25], [1, 0, 50]]);
    const [first, second] = bars;
    expect((second?.x ?? 0) - (first?.x ?? 0)).toBeCloseTo(50);
    expect(first?.width).toBeCloseTo(36);
    expect(first?.x).toBeCloseTo(7);
  });

  it("stacks the parts of a period without a gap, and leaves out parts of 0", () => {
    const { bars } = barChart([[2, 0, 3]], FRAME);
    expect(bars.map(({ part, y, height }) => [part, y, height])).toEqual([[0, 30, 20], [2, 0, 30]]);
  });

  it("shows a tiny value", () => expect(barChart([[0.001], [10]], FRAME).bars[0]?.height).toBe(2));

  it("stays within its frame, whatever the values", () => {
    for (const values of [[[1e-9, 1e9, 3]], [[7, 7, 7], [0, 0, 0]], [[Number.NaN, -4, 2]], [[0.1, 0.2]]]) {
      for (const { x, y, width, height } of barChart(values, FRAME).bars) {
        expect(x).toBeGreaterThanOrEqual(0);
        expect(y).toBeGreaterThanOrEqual(0);
        expect(x + width).toBeLessThanOrEqual(100);
        expect(y + height).toBeLessThanOrEqual(50 + 1e-9);
        expect(height).toBeGreaterThan(0);
      }
    }
  });

  it("has no bar without values", () => {
    expect(barChart([], FRAME)).toEqual({ bars: [], top: 1, limitY: null });
    expect(barChart([[0], [0]], FRAME).bars).toEqual([]);
  });

  it.each([
    [50, 50, 0],
    [20, 20, 0],
    [30, 50, 20],
  ])("draws a limit of %i at its height, with %i at the top", (limit, top, limitY) => {
    const chart = barChart([[10]], { ...FRAME, limit });
    expect([chart.top, chart.limitY]).toEqual([top, limitY]);
  });
});

it.each([
  [0, 1],
  [-3, 1],
  [0.3, 0.5],
  [0.1, 0.1],
  [0.0007, 0.001],
  [1, 1],
  [1.01, 2],
  [3, 5],
  [7, 10],
  [20, 20],
  [412, 500],
])("the top above %f is %f", (value, top) => expect(niceTop(value)).toBe(top));

it("the month so far adds up from its first day, and leaves out the month before", () => {
  const day = (at: string, usd: number) => ({ at: `${at}T00:00:00.000Z`, usd });
  const sums = monthSoFar([day("2026-10-31", 9), day("2026-11-01", 1), day("2026-11-02", 0), day("2026-11-03", 2)]);
  expect(sums).toEqual([day("2026-11-01", 1), day("2026-11-02", 1), day("2026-11-03", 3)]);
  expect(monthSoFar([])).toEqual([]);
});
