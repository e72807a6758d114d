// A project as the API shows it: docs/contracts/project.json is its example.
import * as z from "zod/mini";

import { PRESETS, STATES } from "../stages.ts";
import { EditSchema } from "./edit.ts";
import { PlanSchema, PreviewSchema, ReportSchema } from "./job-report.ts";

const Time = z.iso.datetime();

const Artifacts = z.record(z.string(), z.object({ bytes: z.int(), sha256: z.string(), url: z.string() }));

/** A scene that an attempt made. base: the attempt that it is an edit of; null: made from photos. */
const ResultSchema = z.object({
  attempt: z.int(),
  base: z.nullable(z.int()),
  preset: z.nullable(z.enum(PRESETS)),
  finished_at: z.nullable(Time),
  gaussians: z.int(),
  psnr_db: z.nullable(z.number()),
  artifacts: Artifacts,
});
export type Result = z.infer<typeof ResultSchema>;

export const ProjectSchema = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(STATES),
  created_at: Time,
  updated_at: Time,
  photos: z.object({ count: z.int(), bytes: z.int() }),
  preset: z.nullable(z.enum(PRESETS)),
  attempt: z.int(),
  /** The place in the queue (1: next) of a job that waits for other jobs to end. Lists of older versions lack it. */
  place: z._default(z.nullable(z.int()), null),
  started_at: z.nullable(Time),
  finished_at: z.nullable(Time),
  progress: z.nullable(
    z.object({
      stage: z.string(),
      fraction: z.number(),
      message: z.string(),
      eta_s: z.nullable(z.number()),
      preview: z.nullable(PreviewSchema),
      /** Those found so far; absent from older rows. */
      cameras: z._default(z.nullable(PlanSchema), null),
      at: Time,
    }),
  ),
  /** Why a queued job waits, and until when. Absent from older rows. */
  notice: z.nullish(z.object({ message: z.string(), hint: z.nullable(z.string()), until: z.nullable(Time) })),
  error: z.nullable(
    z.object({ code: z.string(), message: z.string(), hint: z.nullable(z.string()), stage: z.nullable(z.string()) }),
  ),
  /** The attempt whose scene is shown: report, artifacts, edit and cover are its own. Lists of older versions lack it, and what follows. */
  shown: z._default(z.nullable(z.int()), null),
  /** The newest attempt applies an edit of this one to the files; null: it makes a scene from photos. */
  editing: z._default(z.nullable(z.object({ base: z.int() })), null),
  /** All scenes that were made, oldest first. Lists leave them out. */
  results: z._default(z.array(ResultSchema), []),
  report: z.nullable(ReportSchema),
  artifacts: Artifacts,
  /** The edit of the scene; null: as the worker made it. Lists of older versions lack it, and what follows. */
  edit: z._default(z.nullable(EditSchema), null),
  /** How many edits can be undone. */
  edits: z._default(z.int(), 0),
  /** The picture of the scene, large and small; null: it has none. */
  cover: z._default(z.nullable(z.object({ url: z.string(), thumbnail_url: z.string() })), null),
});
export type Project = z.infer<typeof ProjectSchema>;
export type Progress = NonNullable<Project["progress"]>;

/** What people with a share link see. */
export const SharedProjectSchema = z.pick(ProjectSchema, {
  id: true,
  name: true,
  state: true,
  created_at: true,
  photos: true,
  shown: true,
  report: true,
  artifacts: true,
  edit: true,
  cover: true,
});
export type SharedProject = z.infer<typeof SharedProjectSchema>;
