// The limits of the orbit: what cameras on a ring, an arc and one side leave open, and how softly it ends.
import { describe, expect, test } from "vitest";

import type { Pose, Vec3 } from "../../src/scene/cameras.ts";
import { give, limitsOf, nearest, orbitOf, type Range } from "../../src/scene/orbit.ts";

const at = (yaw: number, pitch: number, distance: number): Pose => {
  const [a, b] = [(yaw * Math.PI) / 180, (pitch * Math.PI) / 180];
  const position: Vec3 = [distance * Math.sin(a) * Math.cos(b), -distance * Math.sin(b), distance * Math.cos(a) * Math.cos(b)];
  return { position, target: [0, 0, 0], fov: 50 };
};
const ring = (from: number, to: number, count = 12): Pose[] => Array.from({ length: count }, (_, i) => at(from + ((to - from) * i) / (count - 1), -20, 3));

test("a view is an orbit as the engine counts it", () => {
  const { pitch, yaw, zoom } = orbitOf(at(130, -25, 4));
  expect([pitch, yaw, Math.exp(zoom)].map((v) => Math.round(v * 1e6) / 1e6)).toEqual([-25, 130, 4]);
});

describe("limits", () => {
  test("one view or none says nothing", () => expect([limitsOf([]), limitsOf([at(0, 0, 3)])]).toEqual([null, null]));
  test("cameras all around leave every side open, and bound height and distance", () => {
    const limits = limitsOf([...ring(0, 330), at(10, -40, 2)]);
    expect(limits?.yaw).toBeNull();
    expect([limits?.pitch.lo, limits?.pitch.hi].map((v) => Math.round(v ?? 0))).toEqual([-52, -8]);
    expect([limits?.zoom.lo, limits?.zoom.hi].map((v) => Math.exp(v ?? 0))).toEqual([expect.closeTo(0.6), expect.closeTo(4.5)]);
  });
  test.each([
    ["in front", -40, 40],
    ["behind, across the cut of the circle", 150, 230],
  ])("an arc %s closes the other side", (_name, from, to) => {
    const { lo, hi } = limitsOf(ring(from, to))?.yaw ?? { lo: Number.NaN, hi: Number.NaN };
    expect(hi - lo).toBeCloseTo(to - from + 24);
    expect(nearest((lo + hi) / 2, (from + to) / 2)).toBeCloseTo((from + to) / 2);
  });
  test("straight down is never passed", () => expect(limitsOf([at(0, -89, 3), at(180, -85, 3)])?.pitch.lo).toBe(-90));
});

describe("the orbit gives way", () => {
  const range: Range = { lo: -10, hi: 10, soft: 5 };
  const drag = (value: number, step: number, times: number): number => {
    let now = value;
    for (let i = 0; i < times; i += 1) now += give(now, step, range, 0.016);
    return now;
  };
  test("fully within its range", () => expect([give(0, 4, range, 0.1), give(9, -30 + 12, range, 0.1), give(3, 0, range, 0.1)]).toEqual([4, -18, 0]));
  test("less and less beyond it, never past the soft edge", () => {
    const [first, second] = [give(10, 1, range, 0.016), give(12, 1, range, 0.016)];
    expect(first).toBeGreaterThan(second);
    expect(second).toBeGreaterThan(0);
    for (const step of [0.2, 3, 50, 1000]) {
      expect(drag(0, step, 400)).toBeLessThanOrEqual(15);
      expect(drag(0, -step, 400)).toBeGreaterThanOrEqual(-15);
    }
  });
  test("back freely, and by itself when left alone", () => {
    expect(give(14, -2, range, 0.016)).toBe(-2);
    let now = 14;
    for (let i = 0; i < 120; i += 1) now += give(now, 0, range, 1 / 60);
    expect(now).toBeGreaterThanOrEqual(10);
    expect(now).toBeLessThan(10.05);
  });
});
