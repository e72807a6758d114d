// Calls from RunPod and workers: the address proves which attempt, the content proves nothing by itself.
// A capability is checked before any object is touched and is never logged.
import * as z from "zod/mini";

import { asJobId } from "../clients/runpod.ts";
import { ApiError } from "../errors.ts";
import { endpoint, readText, type Endpoint } from "../http/mount.ts";
import { verify, type Grant, type Purpose } from "../identity/capability.ts";
import { projectStub } from "../project/stub.ts";
import type { Settings } from "../settings.ts";

/** RunPod echoes the whole input, which holds one signed address per photo. */
const RUNPOD_BODY_BYTES_MAX = 1024 * 1024;
const PROGRESS_BODY_BYTES_MAX = 20_000;
const SIGNATURE_HEADERS = ["webhook-id", "webhook-timestamp", "webhook-signature"] as const;

const HintSchema = z.object({ id: z.string() });

export const hookEndpoints: readonly Endpoint[] = [
  endpoint({
    method: "POST",
    path: "/api/hooks/runpod/:capability",
    access: "capability",
    summary: "RunPod: a job of this attempt ended; its status is read back from RunPod",
    answers: { 204: "nothing" },
    handle: async ({ c, env, settings, param, now }) => {
      const grant = await admit("hook-runpod", param("capability"), settings, now);
      const body = await readText(c.req.raw, RUNPOD_BODY_BYTES_MAX);
      const known = await projectStub(env, grant.projectId).onRunPodHook(grant, readHint(body));
      if (!known) throw notValid();
      return new Response(null, { status: 204 });
    },
  }),
  endpoint({
    method: "POST",
    path: "/api/hooks/progress/:capability",
    access: "capability",
    summary: "A worker: progress of this attempt, signed (Standard Webhooks); 410 once the attempt has ended",
    answers: { 204: "nothing" },
    handle: async ({ c, env, settings, param, now }) => {
      const grant = await admit("hook-progress", param("capability"), settings, now);
      const body = await readText(c.req.raw, PROGRESS_BODY_BYTES_MAX);
      const headers = Object.fromEntries(SIGNATURE_HEADERS.map((name) => [name, c.req.header(name) ?? ""]));
      const verdict = await projectStub(env, grant.projectId).onProgress(grant, headers, body);
      if (verdict === "ok") return new Response(null, { status: 204 });
      if (verdict === "unknown") throw notValid();
      if (verdict === "ended") throw new ApiError("NOT_FOUND", "This attempt has ended.", { hint: "Stop the job.", status: 410 });
      if (verdict === "unreadable") throw new ApiError("BAD_REQUEST", "This is not a progress message of this attempt.");
      throw new ApiError("UNAUTHENTICATED", `The signature was rejected: ${verdict.rejected}.`);
    },
  }),
];

async function admit(purpose: Purpose, capability: string, settings: Settings, now: number): Promise<Grant> {
  const verdict = await verify(purpose, capability, settings.hookKeys, now);
  if (!verdict.ok) throw notValid();
  return verdict.grant;
}

/** One message for every reason: the caller does not learn which part was wrong. */
function notValid(): ApiError {
  return new ApiError("FORBIDDEN", "This address is invalid or has expired.");
}

function readHint(body: string): string | null {
  try {
    const parsed = HintSchema.safeParse(JSON.parse(body));
    return parsed.success ? asJobId(parsed.data.id) : null;
  } catch {
    return null;
  }
}
