// A project as the API shows it: docs/contracts/project.json is its example.
import * as z from "zod/mini";

import { PresetSchema } from "./job-input.ts";
import { ReportSchema } from "./job-report.ts";

export const STATES = ["new", "uploading", "ready", "queued", "running", "done", "failed", "cancelled"] as const;
export type State = (typeof STATES)[number];

const Time = z.iso.datetime();

export const ProjectSchema = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(STATES),
  created_at: Time,
  updated_at: Time,
  photos: z.object({ count: z.int(), bytes: z.int() }),
  preset: z.nullable(PresetSchema),
  attempt: z.int(),
  started_at: z.nullable(Time),
  finished_at: z.nullable(Time),
  progress: z.nullable(
    z.object({
      stage: z.string(),
      fraction: z.number(),
      message: z.string(),
      eta_s: z.nullable(z.number()),
      preview: z.nullable(z.object({ artifact: z.string(), seq: z.int() })),
      at: Time,
    }),
  ),
  error: z.nullable(
    z.object({ code: z.string(), message: z.string(), hint: z.nullable(z.string()), stage: z.nullable(z.string()) }),
  ),
  report: z.nullable(ReportSchema),
  artifacts: z.record(z.string(), z.object({ bytes: z.int(), sha256: z.string(), url: z.string() })),
});
export type ProjectView = z.infer<typeof ProjectSchema>;

/** What people behind a share link see. */
export const SharedProjectSchema = z.pick(ProjectSchema, {
  id: true,
  name: true,
  state: true,
  created_at: true,
  photos: true,
  report: true,
  artifacts: true,
});
export type SharedProjectView = z.infer<typeof SharedProjectSchema>;
