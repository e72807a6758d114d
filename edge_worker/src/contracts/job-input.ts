// The input of a RunPod job as the worker reads it; docs/contracts/job-input.json is its example.
// Pure: builds the object from addresses that others have signed.
import * as z from "zod/mini";

import { positiveInt } from "../schema.ts";
import { PriceSchema } from "../settings.ts";

export const PRESETS = ["preview", "standard", "high"] as const;
export const PresetSchema = z.enum(PRESETS);
export type Preset = z.infer<typeof PresetSchema>;

/** Content type that the worker sends with each output; the same is signed (docs/contracts.md, Job). */
export const OUTPUT_TYPES = {
  "scene.ply": "application/octet-stream",
  "scene.sog": "application/octet-stream",
  "scene.spz": "application/octet-stream",
  "preview.sog": "application/octet-stream",
  "poster.webp": "image/webp",
  "cameras.json": "application/json",
  "report.json": "application/json",
} as const;
export type OutputName = keyof typeof OUTPUT_TYPES;
export const OUTPUT_NAMES = Object.keys(OUTPUT_TYPES) as OutputName[];
export const CHECKPOINT_TYPE = "application/octet-stream";

export function isOutputName(name: string): name is OutputName {
  return Object.hasOwn(OUTPUT_TYPES, name);
}

const Address = z.url();

export const JobInputSchema = z.object({
  version: z.literal(1),
  project_id: z.string(),
  attempt: positiveInt,
  photos: z.array(
    z.object({ name: z.string(), url: Address, bytes: positiveInt, sha256: z.nullable(z.string()) }),
  ),
  preset: PresetSchema,
  outputs: z.record(z.string(), Address),
  checkpoint: z.object({ get: Address, put: Address }),
  progress: z.object({ url: Address, secret: z.string().check(z.startsWith("whsec_")) }),
  price: PriceSchema,
  limits: z.object({ max_seconds: z.number().check(z.positive()), max_cost_usd: z.optional(z.number().check(z.positive())) }),
});
export type JobInput = z.infer<typeof JobInputSchema>;

/** Keys of the bucket; nothing that a user names goes into one. */
export const keys = {
  project: (projectId: string): string => `projects/${projectId}/`,
  photos: (projectId: string): string => `projects/${projectId}/photos/`,
  photo: (projectId: string, as: string): string => `projects/${projectId}/photos/${as}`,
  attempt: (projectId: string, attempt: number): string => `projects/${projectId}/attempts/${attempt}/`,
  output: (projectId: string, attempt: number, name: OutputName): string =>
    `projects/${projectId}/attempts/${attempt}/${name}`,
  checkpoint: (projectId: string): string => `projects/${projectId}/checkpoint`,
};
