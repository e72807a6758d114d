// Keeps the engine's orbit within limits, softly. The engine has no such option, so its controller's input is changed on
// the way in: OrbitController.attach and .update are public, and its own ranges would stop the view against a wall.
import { OrbitController, Quat, Vec3, type AppBase, type InputFrame, type Pose } from "playcanvas";

import { give, nearest, type Limits } from "./orbit.ts";

type Moves = InputFrame<{ move: number[]; rotate: number[] }>;

/** Where a controller is heading; its pose lags behind. */
interface Heading {
  pitch: number;
  yaw: number;
  zoom: number;
  readonly focus: Vec3;
  angles: Vec3;
}

/** Limits of the app that is being updated: several may live at once, for a moment. */
let current: Limits | null = null;
const headings = new WeakMap<OrbitController, Heading>();
let isChanged = false;

export function limitOrbit(app: AppBase, limits: Limits | null): void {
  if (!isChanged) change();
  app.on("frameupdate", () => {
    current = limits;
  });
}

function change(): void {
  isChanged = true;
  const { attach, update } = OrbitController.prototype;
  OrbitController.prototype.attach = function (this: OrbitController, given: Pose, smooth?: boolean): void {
    // A click sets a new middle of the orbit, perhaps far in the background: the camera stays where it is, and the middle comes nearer.
    const pose = given.clone();
    if (current !== null) pose.distance = Math.min(Math.exp(current.zoom.hi), Math.max(Math.exp(current.zoom.lo), pose.distance));
    attach.call(this, pose, smooth);
    const { x: pitch, y: yaw } = pose.angles;
    headings.set(this, { pitch, yaw, zoom: Math.log(Math.max(pose.distance, 1e-6)), focus: pose.getFocus(new Vec3()), angles: pose.angles.clone() });
  };
  OrbitController.prototype.update = function (this: OrbitController, frame: InputFrame<{ move: number[]; rotate: number[] }>, seconds: number): Pose {
    const heading = headings.get(this);
    const limited = current === null || heading === undefined ? frame : { read: () => within(heading, frame.read() as ReturnType<Moves["read"]>, current as Limits, seconds) };
    const pose = update.call(this, limited as Moves, seconds);
    heading?.angles.copy(pose.angles);
    return pose;
  };
}

/** The input that keeps a heading within its limits, and the heading after it. */
function within(heading: Heading, { move, rotate }: { move: number[]; rotate: number[] }, { pitch, yaw, zoom, reach }: Limits, seconds: number): { move: number[]; rotate: number[] } {
  const [right = 0, up = 0, far = 0] = move;
  const [turn = 0, tilt = 0, roll = 0] = rotate;
  const dPitch = give(heading.pitch, -tilt, pitch, seconds);
  const middle = yaw === null ? 0 : (yaw.lo + yaw.hi) / 2;
  const dYaw = yaw === null ? -turn : give(nearest(heading.yaw, middle), -turn, yaw, seconds);
  const dZoom = give(heading.zoom, Math.log(Math.max(1e-3, 1 + far)), zoom, seconds);
  heading.pitch = Math.min(90, Math.max(-90, heading.pitch + dPitch));
  heading.yaw += dYaw;
  heading.zoom += dZoom;
  const shift = new Quat().setFromEulerAngles(heading.angles).transformVector(new Vec3(right, up, 0), new Vec3());
  const before = heading.focus.length();
  const after = heading.focus.clone().add(shift).length();
  const share = after > before && after > reach.hi ? Math.max(0, give(before, after - before, reach, 0)) / (after - before) : 1;
  heading.focus.add(shift.mulScalar(share));
  return { move: [right * share, up * share, Math.exp(dZoom) - 1], rotate: [-dYaw, -dPitch, roll] };
}
