// What the cameras saw, as limits of the orbit: how near, how far, from how high and from which sides.
// Pure. Beyond a limit the view gives way less and less, and comes back by itself.
import type { Pose, Vec3 } from "./cameras.ts";

/** Free from lo to hi, and against a growing resistance up to `soft` beyond. */
export interface Range {
  readonly lo: number;
  readonly hi: number;
  readonly soft: number;
}

/**
 * pitch, yaw: degrees as the engine counts them; yaw null: all sides were seen. zoom: natural log of the distance in scene
 * units; reach: of the point that is orbited, from the middle.
 */
export interface Limits {
  readonly pitch: Range;
  readonly yaw: Range | null;
  readonly zoom: Range;
  readonly reach: Range;
}

const BEYOND_DEG = 12;
const SOFT_DEG = 15;
/** A sector as wide as this, seen by no camera, is closed. */
const GAP_DEG = 100;
const NEAREST = 0.3;
const FARTHEST = 1.5;
const ZOOM_SOFT = 0.35;
/** Share of the way back that is left after a second. */
const LEFT_AFTER_S = 0.02;
const REST = 0.01;

/** Null for fewer than two views: nothing is known. */
export function limitsOf(poses: readonly Pose[]): Limits | null {
  if (poses.length < 2) return null;
  const seen = poses.map(orbitOf);
  const pitches = seen.map(({ pitch }) => pitch);
  const zooms = seen.map(({ zoom }) => zoom);
  return {
    pitch: { lo: Math.max(-90, Math.min(...pitches) - BEYOND_DEG), hi: Math.min(90, Math.max(...pitches) + BEYOND_DEG), soft: SOFT_DEG },
    yaw: arcOf(seen.map(({ yaw }) => yaw)),
    reach: { lo: 0, hi: Math.max(1, ...poses.map(({ target }) => Math.hypot(...target))), soft: 1 },
    zoom: { lo: Math.min(...zooms) + Math.log(NEAREST), hi: Math.max(...zooms) + Math.log(FARTHEST), soft: ZOOM_SOFT },
  };
}

/** A view as an orbit about its target. The engine's camera looks along -z, turned by pitch about x, then by yaw about y. */
export function orbitOf({ position, target }: Pose): { pitch: number; yaw: number; zoom: number } {
  const [x, y, z] = position.map((v, i) => v - (target[i] ?? 0)) as Vec3;
  const distance = Math.max(1e-6, Math.hypot(x, y, z));
  return { pitch: -degrees(Math.asin(y / distance)), yaw: degrees(Math.atan2(x, z)), zoom: Math.log(distance) };
}

/** The directions on the other side of the widest gap between them; null if no gap is wide. Its lower end is from -180 to 180. */
function arcOf(yaws: readonly number[]): Range | null {
  const sorted = [...yaws].sort((a, b) => a - b);
  const gaps = sorted.map((yaw, i) => ({ after: yaw, width: (sorted[i + 1] ?? (sorted[0] ?? 0) + 360) - yaw }));
  const widest = gaps.reduce((a, b) => (b.width > a.width ? b : a));
  if (widest.width - 2 * (BEYOND_DEG + SOFT_DEG) < GAP_DEG) return null;
  const lo = wrapped(widest.after + widest.width);
  return { lo: lo - BEYOND_DEG, hi: lo + 360 - widest.width + BEYOND_DEG, soft: SOFT_DEG };
}

/**
 * How far a value moves that is asked to move by `wish` during `seconds`. Outwards beyond the range it moves ever less;
 * left alone there, it returns to the range.
 */
export function give(value: number, wish: number, { lo, hi, soft }: Range, seconds: number): number {
  const over = Math.max(value - hi, lo - value, 0);
  // The last bit at once: a view that never rests would be drawn for ever.
  if (wish === 0) return (value > hi ? -over : over) * (over < REST * soft ? 1 : 1 - LEFT_AFTER_S ** seconds);
  const isOutward = wish > 0 ? value + wish > hi : value + wish < lo;
  if (!isOutward) return wish;
  const free = wish > 0 ? Math.max(0, hi - value) : Math.min(0, lo - value);
  const left = Math.abs(wish - free);
  // The resistance at the end of the step, so that no single step passes the soft edge.
  const given = Math.min(left * (1 - Math.min(1, (over + left) / soft)) ** 2, Math.max(0, soft - over));
  return free + Math.sign(wish) * given;
}

/** The same direction within 180 degrees of `near`. */
export const nearest = (yaw: number, near: number): number => near + wrapped(yaw - near);

const wrapped = (angle: number): number => ((((angle + 180) % 360) + 360) % 360) - 180;
const degrees = (radians: number): number => (radians * 180) / Math.PI;
