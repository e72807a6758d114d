// Jobs: start, cancel, retry; the list of all attempts.
// First bytes are checked in rounds, so that each call of the object stays within the platform's subrequests.
import * as z from "zod/mini";

import { JobsAnswer } from "../../shared/contracts/api.ts";
import { ProjectSchema, type Project } from "../../shared/contracts/project.ts";
import { PRESETS, type Preset } from "../../shared/stages.ts";
import type { JobPlace } from "../account/jobs.ts";
import { indexStub } from "../account/stub.ts";
import type { Env } from "../env.ts";
import { unwrap } from "../errors.ts";
import { endpoint, type Endpoint } from "../http/mount.ts";
import { projectStub } from "../project/stub.ts";
import { intParameter, words } from "../schema.ts";

/** The free plan allows 50 subrequests a call. */
const SNIFF_ROUND = 40;
const REASON_LENGTH_MAX = 300;
const PAGE_DEFAULT = 50;
const PAGE_MAX = 200;

/** US dollars; far above the price of any job, so that a typing error does not look like a limit. */
const MaxCost = z.optional(z.number().check(z.positive(), z.lte(10_000)));
const RetryBody = z.strictObject({ max_cost_usd: MaxCost });

/** Time, project and number of the last attempt of a page. */
const CURSOR_FORM = /^(\d{13})~(p_[0-9a-z]{16})~(\d{1,6})$/;
const ListQuery = z.object({
  cursor: z.optional(z.string().check(z.regex(CURSOR_FORM, "not a cursor from a list"))),
  limit: z.optional(intParameter(1, PAGE_MAX)),
});

export const jobEndpoints: readonly Endpoint[] = [
  endpoint({
    method: "GET",
    path: "/api/jobs",
    access: "view",
    summary: "Attempts of all projects with their price and stages, newest first; deleted projects are included",
    query: ListQuery,
    answers: { 200: JobsAnswer },
    handle: async ({ c, env, query }) => {
      const { jobs, more } = await indexStub(env).jobs(query.limit ?? PAGE_DEFAULT, query.cursor === undefined ? null : readCursor(query.cursor));
      const last = jobs.at(-1);
      return c.json({ jobs, cursor: more && last !== undefined ? `${Date.parse(last.submitted_at)}~${last.project_id}~${last.attempt}` : null });
    },
  }),
  endpoint({
    method: "POST",
    path: "/api/projects/:id/jobs",
    access: "upload",
    summary: "Start a job; refused if it is estimated above max_cost_usd, and stopped there",
    body: z.strictObject({ preset: z.enum(PRESETS), max_cost_usd: MaxCost }),
    idempotent: true,
    answers: { 202: ProjectSchema },
    handle: async ({ c, env, param, body, idempotencyKey }) => c.json(await start(env, param("id"), body.preset, idempotencyKey, body.max_cost_usd), 202),
  }),
  endpoint({
    method: "POST",
    path: "/api/projects/:id/jobs/retry",
    access: "upload",
    summary: "Start a new attempt with the preset and the checkpoint of the last one",
    body: RetryBody,
    bodyOptional: true,
    idempotent: true,
    answers: { 202: ProjectSchema },
    handle: async ({ c, env, param, body, idempotencyKey }) => c.json(await start(env, param("id"), null, idempotencyKey, body.max_cost_usd), 202),
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

async function start(env: Env, id: string, preset: Preset | null, key: string | null, usdMax: number | undefined): Promise<Project> {
  const stub = projectStub(env, id);
  while (unwrap(await stub.sniffPhotos(SNIFF_ROUND)) > 0);
  return unwrap(await stub.start(preset, key, usdMax ?? null));
}

function readCursor(text: string): JobPlace {
  const [submittedAt, projectId = "", attempt] = text.split("~");
  return { submittedAt: Number(submittedAt), projectId, attempt: Number(attempt) };
}
