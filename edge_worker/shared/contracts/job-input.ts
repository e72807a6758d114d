// The input of a RunPod job. Tests compare it with the worker's own schema, docs/contracts/job-input.schema.json.
import * as z from "zod/mini";

import { positiveInt } from "../schema.ts";
import { PRESETS } from "../stages.ts";
import { EditSchema } from "./edit.ts";
import { PriceSchema } from "./price.ts";

/** Content type that the worker sends with each output; the presigned address is bound to it (docs/contracts.md, Job). */
export const OUTPUT_TYPES = {
  "scene.ply": "application/octet-stream",
  "scene.sog": "application/octet-stream",
  "scene.spz": "application/octet-stream",
  "preview.sog": "application/octet-stream",
  "scene.glb": "model/gltf-binary",
  "scene.html": "application/octet-stream",
  "poster.webp": "image/webp",
  "thumbnail.webp": "image/webp",
  "cameras.json": "application/json",
  "report.json": "application/json",
} as const;
export type OutputName = keyof typeof OUTPUT_TYPES;
export const OUTPUT_NAMES = Object.keys(OUTPUT_TYPES) as [OutputName, ...OutputName[]];
/** Made only on request, from a finished scene. */
export const EXTRA_NAMES = ["scene.glb", "scene.html"] as const satisfies readonly OutputName[];
export type ExtraName = (typeof EXTRA_NAMES)[number];
export const CHECKPOINT_TYPE = "application/octet-stream";

export function isOutputName(name: string): name is OutputName {
  return Object.hasOwn(OUTPUT_TYPES, name);
}

const PHOTOS_MAX = 1000;
const VIDEO_BYTES_MAX = 4 * 2 ** 30;
const Address = z.string().check(z.regex(/^https?:\/\/[^\s]+$/), z.maxLength(8192));

/** What every job has. */
const anyJob = {
  version: z.literal(1),
  project_id: z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/)),
  attempt: positiveInt,
  outputs: z.partialRecord(z.enum(OUTPUT_NAMES), Address).check(z.refine((outputs) => Object.keys(outputs).length > 0, "at least one"), z.meta({ minProperties: 1 })),
  progress: z.strictObject({ url: Address, secret: z.string().check(z.regex(/^whsec_[A-Za-z0-9+/=]+$/)) }),
  price: z.strictObject(PriceSchema.shape),
  limits: z.strictObject({ max_seconds: z.number().check(z.positive()), max_cost_usd: z.optional(z.number().check(z.positive())) }),
};

export const JobInputSchema = z.strictObject({
  ...anyJob,
  photos: z
    .array(
      z.strictObject({
        name: z.string().check(z.regex(/^[^/\\\x00-\x1f]{1,255}$/)),
        url: Address,
        bytes: z.int().check(z.positive(), z.lte(VIDEO_BYTES_MAX)),
        sha256: z.nullable(z.string().check(z.regex(/^[0-9a-f]{64}$/))),
        /** Of a clip: how many of its frames become photos, at most. */
        frames_max: z.optional(z.int().check(z.positive(), z.lte(PHOTOS_MAX))),
      }),
    )
    .check(z.minLength(1), z.maxLength(PHOTOS_MAX)),
  preset: z.enum(PRESETS),
  checkpoint: z.strictObject({ get: Address, put: Address }),
});
export type JobInput = z.infer<typeof JobInputSchema>;

/** A job that applies an edit to every file of the scene that attempt `base` made. */
export const EditJobInputSchema = z.strictObject({
  ...anyJob,
  edit: z.strictObject({ base: positiveInt, recipe: EditSchema, scene_url: Address, cameras_url: Address, report_url: Address }),
});
export type EditJobInput = z.infer<typeof EditJobInputSchema>;
