// Jobs: start, cancel, retry.
// First bytes are looked at here in rounds, so that one object's call stays within the platform's subrequests.
import * as z from "zod/mini";

import { ProjectSchema, type Project } from "../../shared/contracts/project.ts";
import { PRESETS, type Preset } from "../../shared/stages.ts";
import type { Env } from "../env.ts";
import { unwrap } from "../errors.ts";
import { endpoint, type Endpoint } from "../http/mount.ts";
import { projectStub } from "../project/stub.ts";
import { words } from "../schema.ts";

/** The free plan allows 50 subrequests a call. */
const SNIFF_ROUND = 40;
const REASON_LENGTH_MAX = 300;

export const jobEndpoints: readonly Endpoint[] = [
  endpoint({
    method: "POST",
    path: "/api/projects/:id/jobs",
    access: "upload",
    summary: "Start a job",
    body: z.strictObject({ preset: z.enum(PRESETS) }),
    idempotent: true,
    answers: { 202: ProjectSchema },
    handle: async ({ c, env, param, body, idempotencyKey }) => c.json(await start(env, param("id"), body.preset, idempotencyKey), 202),
  }),
  endpoint({
    method: "POST",
    path: "/api/projects/:id/jobs/retry",
    access: "upload",
    summary: "Start a new attempt with the preset of the last one; its checkpoint is kept",
    idempotent: true,
    answers: { 202: ProjectSchema },
    handle: async ({ c, env, param, idempotencyKey }) => c.json(await start(env, param("id"), null, idempotencyKey), 202),
  }),
  endpoint({
    method: "POST",
    path: "/api/projects/:id/jobs/cancel",
    access: "upload",
    summary: "Cancel the queued or running job; a reason becomes the project's error, code CANCELLED",
    body: z.strictObject({ reason: z.optional(words(REASON_LENGTH_MAX)) }),
    bodyOptional: true,
    answers: { 202: ProjectSchema },
    handle: async ({ c, env, param, body }) => c.json(unwrap(await projectStub(env, param("id")).cancel(body.reason)), 202),
  }),
];

async function start(env: Env, id: string, preset: Preset | null, key: string | null): Promise<Project> {
  const stub = projectStub(env, id);
  while (unwrap(await stub.sniffPhotos(SNIFF_ROUND)) > 0);
  return unwrap(await stub.start(preset, key));
}
