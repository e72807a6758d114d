// Reads cameras.json: the pose of each photo, for the viewer and for the plan from above.
// Pure. The file uses the frame of scene.ply (OpenCV: x right, y down, z forward).
import * as z from "zod/mini";

import type { Edit } from "../../../shared/contracts/edit.ts";
import { inverse, rotate, toUpright, type Turn } from "./turn.ts";

export type Vec3 = [number, number, number];

const vec3 = z.tuple([z.number(), z.number(), z.number()]);

const file = z.object({
  up: vec3,
  start: z.nullish(z.string()),
  target: vec3,
  cameras: z.array(
    z.object({
      name: z.string(),
      width: z.number(),
      height: z.number(),
      fx: z.number(),
      fy: z.number(),
      position: vec3,
      rotation: z.tuple([vec3, vec3, vec3]),
      held_out: z.optional(z.boolean()),
    }),
  ),
});

export type CamerasFile = z.infer<typeof file>;

export interface Pose {
  position: Vec3;
  target: Vec3;
  /** Degrees, along the longer side of the stage, as the viewer takes it. */
  fov: number;
}

export interface PlanCamera {
  name: string;
  /** -1 to 1, seen from above; y points down the screen. */
  x: number;
  y: number;
  /** Unit vector of the viewing direction in the plan. */
  lookX: number;
  lookY: number;
  heldOut: boolean;
}

export function parseCameras(json: unknown): CamerasFile {
  return z.parse(file, json);
}

const sub = (a: Vec3, b: Vec3): Vec3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const scale = (a: Vec3, k: number): Vec3 => [a[0] * k, a[1] * k, a[2] * k];
const add = (a: Vec3, b: Vec3): Vec3 => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
const cross = (a: Vec3, b: Vec3): Vec3 => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const norm = (a: Vec3): Vec3 => scale(a, 1 / Math.max(1e-12, Math.sqrt(dot(a, a))));

type FileCamera = CamerasFile["cameras"][number];

/** Third column of world-from-camera: the optical axis. */
const forward = ({ rotation }: FileCamera): Vec3 => norm([rotation[0][2], rotation[1][2], rotation[2][2]]);

/** Without an edit the viewer rotates a scene by 180 degrees about z (its y points up, ours down). */
const AS_MADE = toUpright(null);

/**
 * The view of one photo. Its target lies on the optical axis, at the depth of the subject. The whole photo fits in the
 * stage, whose width over height is `aspect`: a tall photo on a wide stage would lose its top and bottom.
 */
export function pose(camera: FileCamera, subject: Vec3, aspect: number, turn: Turn = AS_MADE): Pose {
  const axis = forward(camera);
  const depth = Math.max(dot(sub(subject, camera.position), axis), 1e-2);
  const wide = camera.width / camera.fx;
  const tall = camera.height / camera.fy;
  const longSide = aspect >= 1 ? Math.max(wide, tall * aspect) : Math.max(tall, wide / aspect);
  return {
    position: rotate(turn, camera.position),
    target: rotate(turn, add(camera.position, scale(axis, depth))),
    fov: (2 * Math.atan(longSide / 2) * 180) / Math.PI,
  };
}

/** The pose to open with: the edit's, else the camera named in the file, else the first one. Null without any. */
export function startPose(cameras: CamerasFile | null, aspect: number, edit: Edit | null = null): Pose | null {
  const turn = toUpright(edit?.up ?? null);
  if (edit?.start) return { position: rotate(turn, edit.start.position), target: rotate(turn, edit.start.target), fov: edit.start.fov };
  const camera = cameras?.cameras.find(({ name }) => name === cameras.start) ?? cameras?.cameras[0];
  return camera && cameras ? pose(camera, cameras.target, aspect, turn) : null;
}

/** A view of the viewer, in the axes of the scene's file. */
export function toFile({ position, target, fov }: Pose, turn: Turn): Pose {
  const back = inverse(turn);
  return { position: rotate(back, position), target: rotate(back, target), fov };
}

/** Positions seen from above, scaled so that the farthest camera is at distance 1 from the subject. */
export function plan(cameras: CamerasFile, upNow: Vec3 | null = null): PlanCamera[] {
  const up = norm(upNow ?? cameras.up);
  const helper: Vec3 = Math.abs(up[2]) < 0.9 ? [0, 0, 1] : [1, 0, 0];
  const right = norm(cross(helper, up));
  // Down the screen, seen from above. The other sign would mirror the scene.
  const down = cross(right, up);
  const offsets = cameras.cameras.map((camera) => sub(camera.position, cameras.target));
  const flat = offsets.map((offset) => ({ x: dot(offset, right), y: dot(offset, down) }));
  const farthest = Math.max(1e-9, ...flat.map(({ x, y }) => Math.hypot(x, y)));
  return cameras.cameras.map((camera, i) => {
    const axis = forward(camera);
    const look = { x: dot(axis, right), y: dot(axis, down) };
    const length = Math.max(1e-9, Math.hypot(look.x, look.y));
    const at = flat[i] ?? { x: 0, y: 0 };
    return {
      name: camera.name,
      x: at.x / farthest,
      y: at.y / farthest,
      lookX: look.x / length,
      lookY: look.y / length,
      heldOut: camera.held_out ?? false,
    };
  });
}
