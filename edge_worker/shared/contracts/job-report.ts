// What a job reports at its end (report or failure) and while it runs (progress).
// Tolerant of fields that newer workers add; tests compare the rest with the worker's own schemas (docs/contracts).
import * as z from "zod/mini";

import { ViewSchema } from "./edit.ts";
import { amount, count, text } from "../schema.ts";

export const FAILURE_CODES = [
  "BAD_INPUT",
  "TOO_FEW_PHOTOS",
  "PHOTO_UNREADABLE",
  "DOWNLOAD_FAILED",
  "UPLOAD_FAILED",
  "SFM_FAILED",
  "TRAINING_FAILED",
  "OUT_OF_MEMORY",
  "OUT_OF_DISK",
  "TIME_LIMIT",
  "CANCELLED",
  "INTERNAL",
] as const;
/** UPSTREAM and LIMIT come from the edge: RunPod failed, or a limit was reached while the job waited in the queue. */
export type FailureCode = (typeof FAILURE_CODES)[number] | "UPSTREAM" | "LIMIT";

/** As it comes from the worker: a code that is new to us is still read. */
export const FailureSchema = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.nullish(z.string()),
  stage: z.nullish(z.string()),
});

export const ReportSchema = z.looseObject({
  version: z._default(z.literal(1), 1),
  project_id: z.string(),
  attempt: z.int(),
  preset: z.string(),
  device: z.looseObject({ kind: z.string(), name: z.string() }),
  photos: z.looseObject({
    given: z.int(),
    registered: z.int(),
    rejected: z._default(z.array(z.object({ name: z.string(), code: z.string(), reason: z.string() })), []),
  }),
  /** Clips that photos were taken from. Absent from reports of older workers. */
  videos: z._default(
    z.array(
      z.looseObject({
        name: z.string(),
        seconds: z.number(),
        frames: z.int(),
        used_s: z.array(z.number()),
        dropped: z._default(z.array(z.object({ from_s: z.number(), to_s: z.number(), code: z.string(), reason: z.string() })), []),
      }),
    ),
    [],
  ),
  metrics: z.looseObject({
    psnr_db: z.nullable(z.number()),
    /** Without the exposure in the photos' tags. Absent from reports of older workers. */
    psnr_plain_db: z.nullish(z.number()),
    ssim: z.nullable(z.number()),
    gaussians: z.int(),
    held_out: z.array(z.string()),
  }),
  /** Absent from reports of older workers. */
  up: z.nullish(z.looseObject({ source: z.string(), known: z.boolean(), error_deg: z.nullish(z.number()) })),
  /** Metres. Null where the photos' positions do not tell it, absent from reports of older workers. */
  size: z.nullish(z.looseObject({ width_m: z.number(), height_m: z.number(), metres_per_unit: z.number(), error: z.nullish(z.number()) })),
  /** The files are those of attempt `base`, edited; quality was measured before. start: the edit's start view in the edited scene. */
  edited: z.nullish(z.looseObject({ base: z.int(), gaussians_before: z.int(), start: z.nullish(ViewSchema) })),
  artifacts: z.record(z.string(), z.object({ bytes: count, sha256: z.string() })),
  stages: z.array(z.object({ stage: z.string(), seconds: amount })),
  price: z.nullish(
    z.looseObject({
      usd: amount,
      usd_per_s: amount,
      gpu: z.string(),
      as_of: z.string(),
      billed_s: amount,
      estimate: z.boolean(),
      note: z.optional(z.string()),
    }),
  ),
  warnings: z._default(z.array(z.string()), []),
});
export type Report = z.infer<typeof ReportSchema>;

export const PreviewSchema = z.object({ artifact: text(0, 100), seq: count });

/** Cameras seen from above: position and viewing direction, -100 to 100 each. */
const Side = z.int().check(z.gte(-100), z.lte(100));
export const PlanSchema = z.array(z.tuple([Side, Side, Side, Side])).check(z.maxLength(400));

/** runpod_id: absent from older workers. */
export const ProgressSchema = z.object({
  project_id: z.string(),
  attempt: z.int(),
  runpod_id: z.nullish(z.string()),
  seq: count,
  stage: text(0, 40),
  fraction: z.number().check(z.gte(0), z.lte(1)),
  message: text(0, 2000),
  eta_s: z.nullish(amount),
  preview: z.nullish(PreviewSchema),
  /** Absent from older workers. */
  cameras: z.nullish(PlanSchema),
});
