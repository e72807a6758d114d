// The shapes that cross the border to the API (docs/contracts.md), checked when they arrive.
// Never fetches; unknown keys are let through, missing ones are an error that names the key.
import * as z from "zod/mini";

export const STATES = ["new", "uploading", "ready", "queued", "running", "done", "failed", "cancelled"] as const;
export const STAGES = ["download", "photos", "sfm", "train", "export", "upload"] as const;
export type Stage = (typeof STAGES)[number];

const price = z.object({
  gpu: z.string(),
  usd_per_s: z.number(),
  as_of: z.string(),
  source: z.optional(z.string()),
});

export const settings = z.object({
  limits: z.object({ photos_min: z.number(), photos_max: z.number(), photo_bytes_max: z.number() }),
  presets: z.array(z.string()),
  price,
});

export const session = z.object({ name: z.string(), scopes: z.array(z.string()) });

export const estimate = z.object({ seconds: z.number(), usd: z.number(), basis: z.string(), price });

const progress = z.object({
  stage: z.string(),
  fraction: z.number(),
  message: z.string(),
  eta_s: z.nullish(z.number()),
  preview: z.nullish(z.object({ artifact: z.string(), seq: z.number() })),
  at: z.optional(z.string()),
});

const failure = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.nullish(z.string()),
  stage: z.nullish(z.string()),
});

const rejected = z.object({ name: z.string(), code: z.string(), reason: z.string() });

export const report = z.object({
  preset: z.nullish(z.string()),
  device: z.optional(z.object({ kind: z.string(), name: z.string() })),
  photos: z.object({ given: z.number(), registered: z.number(), rejected: z.array(rejected) }),
  metrics: z.object({
    psnr_db: z.nullish(z.number()),
    ssim: z.nullish(z.number()),
    gaussians: z.number(),
    held_out: z.optional(z.array(z.string())),
  }),
  stages: z.array(z.object({ stage: z.string(), seconds: z.number() })),
  price: z.nullish(
    z.object({
      usd: z.number(),
      usd_per_s: z.number(),
      gpu: z.string(),
      as_of: z.string(),
      billed_s: z.number(),
      estimate: z.optional(z.boolean()),
      note: z.nullish(z.string()),
    }),
  ),
  warnings: z.optional(z.array(z.string())),
});

const artifact = z.object({ bytes: z.number(), sha256: z.nullish(z.string()), url: z.optional(z.string()) });

export const project = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(STATES),
  created_at: z.string(),
  photos: z.object({ count: z.number(), bytes: z.number() }),
  preset: z.nullish(z.string()),
  attempt: z.nullish(z.number()),
  started_at: z.nullish(z.string()),
  finished_at: z.nullish(z.string()),
  progress: z.nullish(progress),
  error: z.nullish(failure),
  report: z.nullish(report),
  artifacts: z.record(z.string(), artifact),
});

export const projects = z.object({ projects: z.array(project), cursor: z.nullable(z.string()) });

export const uploads = z.object({
  uploads: z.array(
    z.object({
      name: z.string(),
      as: z.string(),
      method: z.literal("PUT"),
      url: z.string(),
      headers: z.record(z.string(), z.string()),
      expires_at: z.string(),
    }),
  ),
});

export const photos = z.object({
  photos: z.array(
    z.object({ name: z.string(), as: z.string(), type: z.string(), bytes: z.number(), uploaded: z.boolean() }),
  ),
});

export const share = z.object({ id: z.string(), url: z.string(), expires_at: z.nullish(z.string()) });
export const shares = z.object({
  shares: z.array(
    z.object({
      id: z.string(),
      url: z.nullish(z.string()),
      created_at: z.nullish(z.string()),
      expires_at: z.nullish(z.string()),
    }),
  ),
});

export const loginLink = z.object({ url: z.url(), expires_at: z.string() });

export const event = z.object({ type: z.literal("project"), project });

export const errorEnvelope = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.nullish(z.string()) }),
});

export type Settings = z.infer<typeof settings>;
export type Session = z.infer<typeof session>;
export type Estimate = z.infer<typeof estimate>;
export type Progress = z.infer<typeof progress>;
export type Report = z.infer<typeof report>;
export type Project = z.infer<typeof project>;
export type ProjectState = Project["state"];
export type Upload = z.infer<typeof uploads>["uploads"][number];
export type ServerPhoto = z.infer<typeof photos>["photos"][number];
export type LoginLink = z.infer<typeof loginLink>;
export type Share = z.infer<typeof share>;
export type ListedShare = z.infer<typeof shares>["shares"][number];
