// Rotations of a scene as unit quaternions [x, y, z, w]: where up is, and how the viewer turns a scene to stand upright.
// Pure. The viewer's y points up; a scene's file has y down, x right, z forward.
import type { Vec3 } from "./cameras.ts";

export type Turn = readonly [number, number, number, number];

const UP_IN_VIEWER: Vec3 = [0, 1, 0];
/** Half a turn about z: from the file's axes to the viewer's, for a scene whose up is known. */
const FLIP: Turn = [0, 0, 1, 0];

const cross = (a: Vec3, b: Vec3): Vec3 => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

export function multiply(a: Turn, b: Turn): Turn {
  const [ax, ay, az, aw] = a;
  const [bx, by, bz, bw] = b;
  return [aw * bx + ax * bw + ay * bz - az * by, aw * by - ax * bz + ay * bw + az * bx, aw * bz + ax * by - ay * bx + az * bw, aw * bw - ax * bx - ay * by - az * bz];
}

export const inverse = ([x, y, z, w]: Turn): Turn => [-x, -y, -z, w];

export function rotate(turn: Turn, v: Vec3): Vec3 {
  const [x, y, z] = multiply(multiply(turn, [...v, 0]), inverse(turn));
  return [x, y, z];
}

/** Around a unit axis. */
export function about([x, y, z]: Vec3, degrees: number): Turn {
  const half = (degrees * Math.PI) / 360;
  const s = Math.sin(half);
  return [x * s, y * s, z * s, Math.cos(half)];
}

/** The shortest turn that brings one unit vector to another. */
function between(from: Vec3, to: Vec3): Turn {
  const w = 1 + dot(from, to);
  if (w < 1e-6) return about(Math.abs(from[0]) < 0.9 ? unit(cross(from, [1, 0, 0])) : unit(cross(from, [0, 0, 1])), 180);
  const [x, y, z] = cross(from, to);
  const length = Math.hypot(x, y, z, w);
  return [x / length, y / length, z / length, w / length];
}

export function unit(v: Vec3): Vec3 {
  const length = Math.max(1e-12, Math.hypot(...v));
  return [v[0] / length, v[1] / length, v[2] / length];
}

/** From the axes of a scene's file to the viewer's. up: in the file's axes, null as the worker found it. */
export function toUpright(up: Vec3 | null): Turn {
  if (up === null) return FLIP;
  return multiply(between(rotate(FLIP, unit(up)), UP_IN_VIEWER), FLIP);
}

/** Where up is in the file's axes, of a scene that the viewer shows with this turn. */
export const upOf = (turn: Turn): Vec3 => unit(rotate(inverse(turn), UP_IN_VIEWER));
