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

const COVER_LENGTH_MAX = 700_000;
const THUMBNAIL_LENGTH_MAX = 70_000;
const jpeg = (lengthMax: number) => z.string().check(z.regex(/^\/9j\/[A-Za-z0-9+/]+={0,2}$/, "a JPEG in base64"), z.maxLength(lengthMax));

/** Two sizes of one picture, JPEG in base64. */
export const CoverBody = z.strictObject({ image: jpeg(COVER_LENGTH_MAX), thumbnail: jpeg(THUMBNAIL_LENGTH_MAX) });
export const COVER_BODY_BYTES_MAX = COVER_LENGTH_MAX + THUMBNAIL_LENGTH_MAX + 1000;
