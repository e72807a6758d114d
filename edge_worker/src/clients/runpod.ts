// Client of RunPod's job API (https://docs.runpod.io/serverless/endpoints/operation-reference), replies checked by zod.
// Never retries a POST: it may be unknown whether a job was accepted, and a second job costs money.
import * as z from "zod/mini";

import type { EditJobInput, JobInput } from "../../shared/contracts/job-input.ts";
import { readAtMost } from "../body.ts";
import { parseJson } from "../schema.ts";
import type { Settings } from "../settings.ts";

const TIMEOUT_MS = 10_000;
/** RunPod's own limit of a job's payload is 10 MB (operation-reference, 2026-08-20); a status repeats input and output. */
const REPLY_BYTES_MAX = 24 * 2 ** 20;

const RunReply = z.object({ id: z.string().check(z.minLength(1)), status: z.string() });
const StatusReply = z.object({
  id: z.optional(z.string()),
  status: z.string(),
  output: z.optional(z.unknown()),
  error: z.optional(z.unknown()),
  delayTime: z.optional(z.number()),
  executionTime: z.optional(z.number()),
});
const HealthReply = z.object({
  jobs: z.record(z.string(), z.number()),
  workers: z.record(z.string(), z.number()),
});
export type Health = z.infer<typeof HealthReply>;

export type RemoteStatus =
  | { readonly kind: "in_queue" }
  | { readonly kind: "in_progress"; readonly output: unknown }
  | { readonly kind: "completed"; readonly output: unknown }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "timed_out" }
  | { readonly kind: "cancelled" }
  /** 404: past its time to live, purged, or never there. */
  | { readonly kind: "gone" };

/** By what the caller can do: fix the call, wait, or check whether it happened. */
export type RunPodErrorKind = "refused" | "busy" | "unknown_outcome";

export class RunPodError extends Error {
  readonly kind: RunPodErrorKind;
  readonly status: number | null;
  /** Seconds that RunPod asks to wait; null: it names none. */
  readonly retryAfterS: number | null;

  constructor(kind: RunPodErrorKind, status: number | null, message: string, retryAfterS: number | null = null) {
    super(message);
    this.retryAfterS = retryAfterS;
    this.name = "RunPodError";
    this.kind = kind;
    this.status = status;
  }
}

/** The text if it can be RunPod's id of a job, else null: it becomes part of a path. */
export function asJobId(text: string | null | undefined): string | null {
  return /^[A-Za-z0-9_-]{1,100}$/.test(text ?? "") ? (text ?? null) : null;
}

export interface RunPolicy {
  readonly executionTimeoutMs: number;
  readonly ttlMs: number;
}

export class RunPod {
  readonly #settings: Settings["runpod"];
  readonly #fetch: typeof fetch;

  constructor(settings: Settings["runpod"], fetcher: typeof fetch = (input, init) => fetch(input, init)) {
    this.#settings = settings;
    this.#fetch = fetcher;
  }

  /** Queues a job; returns its id. `unknown_outcome`: it may have been queued nevertheless. */
  async run(input: JobInput | EditJobInput, webhook: string, policy: RunPolicy): Promise<string> {
    const reply = await this.#call("POST", "run", {
      input,
      webhook,
      policy: { executionTimeout: policy.executionTimeoutMs, ttl: policy.ttlMs },
    });
    const parsed = RunReply.safeParse(reply);
    if (!parsed.success) throw new RunPodError("unknown_outcome", 200, "RunPod's answer to /run has no job id.");
    return parsed.data.id;
  }

  async status(jobId: string): Promise<RemoteStatus> {
    const reply = await this.#call("GET", `status/${encodeURIComponent(jobId)}`, undefined, { 404: null });
    if (reply === null) return { kind: "gone" };
    const parsed = StatusReply.safeParse(reply);
    if (!parsed.success) throw new RunPodError("unknown_outcome", 200, "RunPod's answer to /status is not readable.");
    return readStatus(parsed.data);
  }

  /** Ends a job; a job that is gone or finished counts as ended. Returns whether the endpoint knows the job. */
  async cancel(jobId: string): Promise<boolean> {
    return (await this.#call("POST", `cancel/${encodeURIComponent(jobId)}`, undefined, { 400: {}, 404: null })) !== null;
  }

  async health(): Promise<Health> {
    const parsed = HealthReply.safeParse(await this.#call("GET", "health"));
    if (!parsed.success) throw new RunPodError("unknown_outcome", 200, "RunPod's answer to /health is not readable.");
    return parsed.data;
  }

  async #call(method: string, path: string, body?: unknown, known: Readonly<Record<number, unknown>> = {}): Promise<unknown> {
    // Not AbortSignal.timeout: its timer would continue after the answer and keep the project's object from hibernating.
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), TIMEOUT_MS);
    try {
      return await this.#exchange(method, path, body, known, limit.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  async #exchange(method: string, path: string, body: unknown, known: Readonly<Record<number, unknown>>, signal: AbortSignal): Promise<unknown> {
    const { jobUrl, endpointId, apiKey } = this.#settings;
    let response: Response;
    try {
      response = await this.#fetch(`${jobUrl}/${endpointId}/${path}`, {
        method,
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json", "user-agent": "photo-splat-edge" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal,
        redirect: "manual",
      });
    } catch {
      throw new RunPodError("unknown_outcome", null, "RunPod did not answer.");
    }
    if (Object.hasOwn(known, response.status)) {
      await response.body?.cancel();
      return known[response.status];
    }
    if (!response.ok) {
      await response.body?.cancel();
      const retryAfter = response.headers.get("retry-after") ?? "";
      const retryAfterS = /^[0-9]{1,5}$/.test(retryAfter) ? Number(retryAfter) : null;
      throw new RunPodError(errorKind(response.status), response.status, `RunPod answered ${response.status} to /${path.split("/")[0]}.`, retryAfterS);
    }
    const bytes = await readAtMost(response.body, REPLY_BYTES_MAX).catch(() => null);
    const value = bytes === null ? undefined : parseJson(new TextDecoder().decode(bytes));
    if (value === undefined) throw new RunPodError("unknown_outcome", response.status, "RunPod's answer is not readable JSON.");
    return value;
  }
}

function errorKind(status: number): RunPodErrorKind {
  // Both come before anything is queued: too many requests, and no capacity to take one.
  if (status === 429 || status === 503) return "busy";
  return status >= 400 && status < 500 ? "refused" : "unknown_outcome";
}

function readStatus(reply: z.infer<typeof StatusReply>): RemoteStatus {
  switch (reply.status) {
    case "IN_QUEUE":
      return { kind: "in_queue" };
    case "IN_PROGRESS":
    case "RUNNING":
      return { kind: "in_progress", output: reply.output };
    case "COMPLETED":
      return { kind: "completed", output: reply.output };
    case "FAILED":
      return { kind: "failed", error: reply.error ?? (reply.output as { error?: unknown } | undefined)?.error };
    case "TIMED_OUT":
      return { kind: "timed_out" };
    case "CANCELLED":
      return { kind: "cancelled" };
    default:
      throw new RunPodError("unknown_outcome", 200, `RunPod's job status "${reply.status.slice(0, 40)}" is unknown.`);
  }
}
