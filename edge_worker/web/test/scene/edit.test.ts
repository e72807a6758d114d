// What a recipe hides in the preview is what the worker cuts from the files: both read the same cases.
import { describe, expect, test } from "vitest";

import cases from "../../../../docs/contracts/edit-cases.json";
import example from "../../../../docs/contracts/edit.json";
import { EditSchema, UNEDITED, type Crop } from "../../../shared/contracts/edit.ts";
import { cellOf, cellsPerSide, removedCells } from "../../src/scene/edit/floaters.ts";
import { cropValues, programOf } from "../../src/scene/edit/hidden.ts";
import { FIRST, cropOf } from "../../src/scene/edit/shapes.ts";
import { rotate, toUpright, type Turn } from "../../src/scene/turn.ts";
import type { Vec3 } from "../../src/scene/cameras.ts";

const points = cases.points.map((point) => point.map(Math.fround)) as Vec3[];

/** The program of the graphics card, in its own words. */
function weight(at: Vec3, { frame, size, edge }: ReturnType<typeof cropValues>): number {
  const p = [0, 1, 2].map((row) => at.reduce((sum, v, column) => sum + v * (frame[4 * column + row] ?? 0), frame[12 + row] ?? 0)) as Vec3;
  const [sx = 0, sy = 0, sz = 0, ball = 0] = size;
  const [soft = 0, sign = 1] = edge;
  const depth = sign * (ball > 0.5 ? sx - Math.hypot(...p) : Math.min(sx - Math.abs(p[0]), sy - Math.abs(p[1]), sz - Math.abs(p[2])));
  if (soft <= 0) return depth >= 0 ? 1 : 0;
  const t = Math.min(1, Math.max(0, depth / soft));
  return t * t * (3 - 2 * t);
}

describe.each([
  ["as the worker made it", null],
  ["with another up", [0.6, 0, -0.8]],
] as [string, Vec3 | null][])("a scene shown %s", (_name, up) => {
  const upright = toUpright(up);
  test.each(cases.crops.map((one, i) => [i, one] as const))("is cropped as the worker crops it, case %d", (_i, { crop, points_every, weights }) => {
    const values = cropValues(crop as Crop, upright);
    const found = points.filter((_, i) => i % points_every === 0).map((point) => weight(rotate(upright, point), values));
    found.forEach((w, i) => expect(w).toBeCloseTo(weights[i] ?? -1, 4));
  });
});

test("the cases hold all kinds of weights", () => expect(new Set(cases.crops.flatMap(({ weights }) => weights)).size).toBeGreaterThan(30));

test.each(cases.floaters)("floaters are those that the worker removes at strength $strength within $reach", ({ strength, reach, removed }) => {
  const cells = removedCells(Float32Array.from(points.flat()), { strength, reach });
  const found = points.flatMap(([x, y, z], i) => (cells[cellOf(x, y, z, cellsPerSide(strength))] === 1 ? [i] : []));
  expect(found).toEqual(removed);
});

describe("a crop from sliders", () => {
  const upright: Turn = toUpright([0, -0.8, 0.6]);
  test("is a valid recipe in the file's axes", () => {
    for (const shape of ["box", "sphere"] as const) {
      const crop = cropOf({ ...FIRST, shape, right: 0.4, up: 0.2, yaw: 30, soft: 0.1 }, upright);
      expect(EditSchema.parse({ ...UNEDITED, crops: [crop] }).crops).toEqual([crop]);
    }
  });
  test("lies where the viewer shows it", () => {
    const values = cropValues(cropOf({ ...FIRST, width: 1, height: 2, depth: 3, right: 0.5, up: -0.2, ahead: 0.1, yaw: 90 }, upright), upright);
    // A quarter about the vertical exchanges width and depth.
    expect([weight([0.5 + 1.4, -0.2, 0.1], values), weight([0.5, -0.2 + 0.9, 0.1], values), weight([0.5, -0.2, 0.1 + 0.4], values)]).toEqual([1, 1, 1]);
    expect([weight([0.5 + 1.6, -0.2, 0.1], values), weight([0.5, -0.2 + 1.1, 0.1], values), weight([0.5, -0.2, 0.1 + 0.6], values)]).toEqual([0, 0, 0]);
  });
});

test("one program serves all crops of one number, and only a crop in the making has a ghost", () => {
  const { glsl, wgsl } = programOf(2, true, true);
  for (const text of [glsl, wgsl]) {
    expect(text.match(/uCropFrame1/g)?.length).toBe(2);
    expect(text).not.toContain("uCropFrame2");
    expect(text.match(/max\(w/g)?.length).toBe(1);
  }
  expect(programOf(2, false, false).glsl).not.toMatch(/max\(w|uCells/);
});

test("recipes of both versions are read", () => {
  expect(EditSchema.parse(example)).toEqual(example);
  expect(EditSchema.parse({ version: 1, up: null, start: null, cover: 3 })).toEqual({ ...UNEDITED, version: 1, cover: 3 });
});
