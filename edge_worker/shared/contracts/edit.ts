// The edit of a scene: a small recipe beside the files that the worker made, which stay as they are (docs/contracts.md, Edit).
// In the frame of scene.ply: x right, y down, z forward; its unit is the subject's radius. Tests compare it with the worker's schema.
import * as z from "zod/mini";

import { positiveInt } from "../schema.ts";

export const CROPS_MAX = 8;

const Coordinate = z.number().check(z.gte(-1e6), z.lte(1e6));
const Length = z.number().check(z.gte(1e-4), z.lte(1e6));
const Vec3 = z.tuple([Coordinate, Coordinate, Coordinate]);
const unit = z.refine((v) => Math.abs(Math.hypot(...(v as number[])) - 1) < 1e-3, "must have length 1");

/** fov: degrees along the longer side of the picture. */
export const ViewSchema = z.strictObject({ position: Vec3, target: Vec3, fov: z.number().check(z.gte(5), z.lte(150)) });

/** soft: width of the edge in scene units, within which the opacity rises from 0. */
const sides = { keep: z.enum(["inside", "outside"]), soft: z.number().check(z.gte(0), z.lte(10)) };
/** half: half of each side. quat: w, x, y, z, the box's axes in the scene. */
const Box = z.strictObject({ shape: z.literal("box"), centre: Vec3, half: z.tuple([Length, Length, Length]), quat: z.tuple([Coordinate, Coordinate, Coordinate, Coordinate]).check(unit), ...sides });
const Sphere = z.strictObject({ shape: z.literal("sphere"), centre: Vec3, radius: Length, ...sides });
const CropSchema = z.discriminatedUnion("shape", [Box, Sphere]);
export type Crop = z.infer<typeof CropSchema>;

/** strength: 0 to 1. reach: scene units from the middle within which floaters are removed. */
const FloatersSchema = z.strictObject({ strength: z.number().check(z.gt(0), z.lte(1)), reach: Length });
export type Floaters = z.infer<typeof FloatersSchema>;

/** A length that somebody knows: from one point of the scene to another, in metres. */
const ScaleSchema = z.strictObject({ points: z.tuple([Vec3, Vec3]), metres: Length }).check(
  z.refine(({ points: [a, b] }) => Math.hypot(...a.map((v, i) => v - (b[i] ?? 0))) >= 1e-4, "points: must be at least 0.0001 apart"),
);

/**
 * up: where up is, unless the worker found it. start: the first view. cover: the number of a stored picture. scale: the real size. null: as the worker made it.
 * Version 1 knew neither crops nor floaters.
 */
export const EditSchema = z.strictObject({
  version: z.literal([1, 2]),
  up: z.nullable(Vec3.check(unit)),
  start: z.nullable(ViewSchema),
  cover: z.nullable(positiveInt),
  crops: z._default(z.array(CropSchema).check(z.maxLength(CROPS_MAX)), []),
  floaters: z._default(z.nullable(FloatersSchema), null),
  scale: z._default(z.nullable(ScaleSchema), null),
});
export type Edit = z.infer<typeof EditSchema>;

export const UNEDITED: Edit = { version: 2, up: null, start: null, cover: null, crops: [], floaters: null, scale: null };

/** Whether the scene's own files would differ. A start view and a cover only change how it is shown. */
export const changesFiles = ({ up, crops, floaters, scale }: Edit): boolean => up !== null || crops.length > 0 || floaters !== null || scale !== null;
