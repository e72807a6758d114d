// Jobs: start, cancel, retry, a message at the end; the list of all attempts.
// First bytes are checked in rounds, so that each call of the object stays within the platform's subrequests.
import * as z from "zod/mini";

import { JobsAnswer } from "../../shared/contracts/api.ts";
import { ProjectSchema, type Project } from "../../shared/contracts/project.ts";
import { ACTIVE, PRESETS, type Preset } from "../../shared/stages.ts";
import type { JobPlace } from "../account/jobs.ts";
import { indexStub } from "../account/stub.ts";
import { isPoint } from "../clients/web-push.ts";
import type { Env } from "../env.ts";
import { ApiError, unwrap } from "../errors.ts";
import { endpoint, type Endpoint } from "../http/mount.ts";
import { outgoingAddress } from "../outgoing.ts";
import { projectStub } from "../project/stub.ts";
import { MaxCost, intParameter, words } from "../schema.ts";

/** The free plan allows 50 subrequests a call. */
const SNIFF_ROUND = 40;
const REASON_LENGTH_MAX = 300;
const PAGE_DEFAULT = 50;
const PAGE_MAX = 200;

const RetryBody = z.strictObject({ max_cost_usd: MaxCost });

/** As PushSubscription.toJSON() has it. */
const BrowserBody = z.strictObject({
  endpoint: z.url().check(z.maxLength(1000)),
  expirationTime: z.nullish(z.number()),
  keys: z.strictObject({ p256dh: z.string().check(z.regex(/^[A-Za-z0-9_-]{87}$/)), auth: z.string().check(z.regex(/^[A-Za-z0-9_-]{22}$/)) }),
});

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
  endpoint({
    method: "POST",
    path: "/api/projects/:id/notifications",
    access: "view",
    summary: "Send this browser a message (Web Push) once the job under way has ended",
    body: BrowserBody,
    answers: { 204: "nothing" },
    handle: async ({ env, settings, param, body }) => {
      const { id, state } = unwrap(await projectStub(env, param("id")).view());
      if (settings.pushKey === null) throw new ApiError("CONFLICT", "This service sends no messages to browsers.");
      if (!ACTIVE.has(state)) throw new ApiError("CONFLICT", `Only the end of a queued or running job can be announced. This project is ${state}.`);
      const { endpoint: address, keys } = body;
      const url = outgoingAddress(address, settings.workerUrl);
      if (typeof url === "string") throw new ApiError("BAD_REQUEST", `body.endpoint: ${url}`);
      if (!(await isPoint(keys.p256dh))) throw new ApiError("BAD_REQUEST", "body.keys.p256dh: not a point of P-256");
      await indexStub(env).watchEnd(id, { endpoint: url.href, ...keys });
      return new Response(null, { status: 204 });
    },
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
