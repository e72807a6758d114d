// A crop as sliders move it: in the axes in which the viewer shows the scene, so that up and down are what they look like.
// Pure. A recipe holds the same crop in the axes of the scene's file.
import type { Crop } from "../../../../shared/contracts/edit.ts";
import { about, inverse, multiply, rotate, type Turn } from "../turn.ts";
import type { Vec3 } from "../cameras.ts";

/** Lengths in scene units; yaw: degrees about the vertical. */
export interface Sliders {
  shape: "box" | "sphere";
  keep: "inside" | "outside";
  width: number;
  height: number;
  depth: number;
  radius: number;
  right: number;
  up: number;
  ahead: number;
  yaw: number;
  soft: number;
}

export const FIRST: Sliders = { shape: "box", keep: "inside", width: 2.4, height: 2.4, depth: 2.4, radius: 1.2, right: 0, up: 0, ahead: 0, yaw: 0, soft: 0 };

const VERTICAL: Vec3 = [0, 1, 0];

/** upright: from the file's axes to the viewer's. */
export function cropOf(sliders: Sliders, upright: Turn): Crop {
  const { shape, keep, soft, right, up, ahead } = sliders;
  const back = inverse(upright);
  const centre = rounded(rotate(back, [right, up, ahead]));
  if (shape === "sphere") return { shape, centre, radius: sliders.radius, keep, soft };
  const [x, y, z, w] = multiply(back, about(VERTICAL, sliders.yaw));
  const half = [sliders.width / 2, sliders.height / 2, sliders.depth / 2] as Vec3;
  return { shape, centre, half, quat: [w, x, y, z], keep, soft };
}

const rounded = (v: Vec3): Vec3 => v.map((a) => Math.round(a * 1e6) / 1e6 + 0) as Vec3;
