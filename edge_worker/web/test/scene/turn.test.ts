// Turns of a scene: what was up in its file is up in the viewer, and reads back.
import { describe, expect, it } from "vitest";

import type { Vec3 } from "../../src/scene/cameras.ts";
import { about, multiply, rotate, toUpright, unit, upOf } from "../../src/scene/turn.ts";

const rounded = (v: readonly number[]): number[] => v.map((one) => Math.round(one * 1e6) / 1e6 + 0);
const UPS: Vec3[] = [[0, -1, 0], [0, 1, 0], [1, 0, 0], [0, 0, -1], [0.6, -0.8, 0], [-0.36, 0.48, 0.8]];

describe("the turn that sets a scene upright", () => {
  it.each(UPS)("brings up at %f %f %f to the viewer's y, and gives it back", (...up) => {
    const turn = toUpright(up as Vec3);
    expect(rounded(rotate(turn, up as Vec3))).toEqual([0, 1, 0]);
    expect(rounded(upOf(turn))).toEqual(rounded(up));
    expect(rounded([Math.hypot(...turn)])).toEqual([1]);
  });

  it("of a scene as the worker made it is half a turn about z", () => {
    expect(rounded(rotate(toUpright(null), [1, 2, 3]))).toEqual([-1, -2, 3]);
    expect(rounded(toUpright([0, -1, 0]))).toEqual(rounded(toUpright(null)));
  });

  it("changes by as many degrees as a slider leans the scene", () => {
    const leaned = multiply(about([1, 0, 0], 30), toUpright(null));
    const up = upOf(leaned);
    const cos = up[0] * 0 + up[1] * -1 + up[2] * 0;
    expect((Math.acos(cos) * 180) / Math.PI).toBeCloseTo(30, 6);
    // What is stored shows the scene as it leaned when it was saved.
    expect(rounded(rotate(toUpright(up), unit(up)))).toEqual([0, 1, 0]);
  });
});
