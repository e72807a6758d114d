// The edit of a scene: a small recipe beside the files that the worker made, which stay as they are (docs/contracts.md, Edit).
// In the frame of scene.ply: x right, y down, z forward; its unit is the subject's radius.
import * as z from "zod/mini";

import { positiveInt } from "../schema.ts";

const Coordinate = z.number().check(z.gte(-1e6), z.lte(1e6));
const Vec3 = z.tuple([Coordinate, Coordinate, Coordinate]);
const Direction = Vec3.check(z.refine((v) => Math.abs(Math.hypot(...(v as number[])) - 1) < 1e-3, "must have length 1"));

/** fov: degrees along the longer side of the picture. */
export const ViewSchema = z.strictObject({ position: Vec3, target: Vec3, fov: z.number().check(z.gte(5), z.lte(150)) });

/** up: where up is, unless the worker found it. start: the first view. cover: the number of a stored picture. null: as the worker made it. */
export const EditSchema = z.strictObject({
  version: z.literal(1),
  up: z.nullable(Direction),
  start: z.nullable(ViewSchema),
  cover: z.nullable(positiveInt),
});
export type Edit = z.infer<typeof EditSchema>;

export const UNEDITED: Edit = { version: 1, up: null, start: null, cover: null };
