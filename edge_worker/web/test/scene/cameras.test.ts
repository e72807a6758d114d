// Poses and the plan from cameras.json, for known cameras on a circle, y down, as the worker writes them.
import { describe, expect, it } from "vitest";

import type { Edit } from "../../../shared/contracts/edit.ts";
import { parseCameras, plan, pose, startPose, toFile, type CamerasFile, type Vec3 } from "../../src/scene/cameras.ts";

import { rotate, toUpright } from "../../src/scene/turn.ts";

const asMade = (v: Vec3): Vec3 => rotate(toUpright(null), v);

const WIDTH_PX = 640;
const FOCAL_PX = 320; // an image twice as wide as its focal length: 90 degrees across

/** `count` level cameras on a circle of radius 2 around the origin, looking at it; up is -y. */
function circle(count: number): CamerasFile {
  const cameras = Array.from({ length: count }, (_, i) => {
    const turn = (2 * Math.PI * i) / count;
    const position: Vec3 = [2 * Math.cos(turn), 0, 2 * Math.sin(turn)];
    const forward: Vec3 = [-Math.cos(turn), 0, -Math.sin(turn)];
    const down: Vec3 = [0, 1, 0];
    const right: Vec3 = [down[1] * forward[2], 0, -down[1] * forward[0]];
    const rotation: [Vec3, Vec3, Vec3] = [
      [right[0], down[0], forward[0]],
      [right[1], down[1], forward[1]],
      [right[2], down[2], forward[2]],
    ];
    return { name: `${i}.jpg`, width: WIDTH_PX, height: 480, fx: FOCAL_PX, fy: FOCAL_PX, position, rotation, held_out: i === 0 };
  });
  return { up: [0, -1, 0], start: "1.jpg", target: [0, 0, 0], cameras };
}

describe("poses", () => {
  it("put the target on the optical axis at the depth of the subject, in the viewer's frame", () => {
    const file = circle(4);
    const { position, target, fov } = pose(file.cameras[1]!, file.target, WIDTH_PX / 480);
    expect(position).toEqual(asMade(file.cameras[1]!.position));
    for (const part of target) expect(part).toBeCloseTo(0);
    expect(fov).toBeCloseTo(90);
  });

  /** Degrees across and along a stage whose longer side shows `fov`. */
  const seen = (fov: number, aspect: number): [number, number] => {
    const long = Math.tan((fov * Math.PI) / 360);
    const [across, along] = aspect >= 1 ? [long, long / aspect] : [long * aspect, long];
    return [(Math.atan(across) * 360) / Math.PI, (Math.atan(along) * 360) / Math.PI];
  };

  it.each([
    ["a wide photo on its own shape", 640, 480, 640 / 480],
    ["a wide photo on a wider stage", 640, 480, 1.6],
    ["a wide photo on a phone", 640, 480, 0.8],
    ["a tall photo on a wide stage", 480, 640, 1.6],
    ["a tall photo on a phone", 480, 640, 0.8],
    ["a tall photo on a narrow phone", 480, 640, 0.5],
  ])("show the whole photo and no more than needed: %s", (_what, width, height, aspect) => {
    const camera = { ...circle(1).cameras[0]!, width, height };
    const [across, along] = seen(pose(camera, [0, 0, 0], aspect).fov, aspect);
    const needAcross = (Math.atan(width / 2 / FOCAL_PX) * 360) / Math.PI;
    const needAlong = (Math.atan(height / 2 / FOCAL_PX) * 360) / Math.PI;
    expect(across).toBeGreaterThan(needAcross - 1e-6);
    expect(along).toBeGreaterThan(needAlong - 1e-6);
    expect(Math.min(across - needAcross, along - needAlong)).toBeCloseTo(0);
  });

  it("never put the target behind the camera", () => {
    const camera = circle(1).cameras[0]!;
    const { position, target } = pose(camera, [50, 0, 0], 1);
    expect(Math.hypot(...target.map((part, i) => part - (position[i] ?? 0)))).toBeGreaterThan(0);
  });

  it("start with the named camera, else the first, else none", () => {
    const file = circle(4);
    expect(startPose(file, 1)?.position).toEqual(asMade(file.cameras[1]!.position));
    expect(startPose({ ...file, start: "gone.jpg" }, 1)?.position).toEqual(asMade(file.cameras[0]!.position));
    expect(startPose({ ...file, cameras: [] }, 1)).toBeNull();
  });
});

describe("the plan from above", () => {
  it("shows the circle at radius one, with every camera facing inwards", () => {
    for (const { x, y, lookX, lookY } of plan(circle(8))) {
      expect(Math.hypot(x, y)).toBeCloseTo(1);
      expect(lookX).toBeCloseTo(-x);
      expect(lookY).toBeCloseTo(-y);
    }
  });

  it("is not mirrored: a circle that is counterclockwise from above is so on the screen", () => {
    const [first, second] = plan(circle(8));
    // From above (up is -y), x points right and z up the screen, so the circle is counterclockwise. A screen's
    // y points down.
    const cross = (first?.x ?? 0) * (second?.y ?? 0) - (first?.y ?? 0) * (second?.x ?? 0);
    expect(cross).toBeLessThan(0);
  });

  it("marks held-out photos", () => {
    expect(plan(circle(3)).map(({ heldOut }) => heldOut)).toEqual([true, false, false]);
  });

  it("puts a camera directly above the subject in the middle", () => {
    const file = circle(2);
    const above = { ...file.cameras[0]!, position: [0, -3, 0] as Vec3, rotation: [[1, 0, 0], [0, 0, 1], [0, 1, 0]] as [Vec3, Vec3, Vec3] };
    const at = plan({ ...file, cameras: [...file.cameras, above] }).at(-1);
    expect(Math.hypot(at?.x ?? 1, at?.y ?? 1)).toBeCloseTo(0);
    expect(Number.isFinite(at?.lookX)).toBe(true);
  });
});

describe("an invalid file", () => {
  it("is rejected", () => {
    expect(() => parseCameras({ cameras: [] })).toThrow();
    expect(() => parseCameras("nonsense")).toThrow();
  });
});

describe("an edit", () => {
  const edit = { version: 1, up: [0, -1, 0], start: { position: [3, -1, 0], target: [0, 0.5, 0], fov: 40 }, cover: null, crops: [], floaters: null, scale: null } satisfies Edit;

  it("has its own start view, which reads back as it was stored", () => {
    const start = startPose(circle(4), 1, edit);
    expect(start).not.toBeNull();
    expect(start?.position.map((v) => Math.round(v * 1e9) / 1e9)).toEqual([-3, 1, 0]);
    const stored = toFile(start!, toUpright(edit.up));
    expect(stored.position.map((v) => Math.round(v * 1e9) / 1e9)).toEqual(edit.start.position);
    expect(stored.fov).toBe(40);
  });

  it("turns every view with the scene, so that photos still fit", () => {
    const file = circle(4);
    const turn = toUpright([0.6, -0.8, 0]);
    const turned = pose(file.cameras[0]!, file.target, 1, turn);
    const plain = pose(file.cameras[0]!, file.target, 1);
    const apart = (a: Vec3, b: Vec3): number => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
    expect(apart(turned.position, turned.target)).toBeCloseTo(apart(plain.position, plain.target), 9);
    expect(turned.position).not.toEqual(plain.position);
  });
});
