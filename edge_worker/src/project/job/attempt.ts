// One attempt at RunPod: submit its input (input.ts) once, read what a status means.
// Returns events; never changes the project's state by itself.
import { ProgressSchema, ReportSchema, type Report } from "../../../shared/contracts/job-report.ts";
import { keys } from "../../clients/bucket-keys.ts";
import { readFailure, readOutput, type Failure } from "./outcome.ts";
import { RunPod, RunPodError, type RemoteStatus } from "../../clients/runpod.ts";
import { issue, type Grant } from "../../identity/capability.ts";
import type { Settings } from "../../settings.ts";
import { buildInput, type AttemptPlan } from "./input.ts";
import { NO_WORKER, type Event, type Job } from "./state.ts";

/** How long a job may wait for a worker, on top of its own time limit. */
const QUEUE_ALLOWANCE_S = 3600;
/** Our deadline is a little after RunPod's own, so that RunPod's result comes first. */
const DEADLINE_SLACK_S = 120;
/** RunPod's execution limit is a little after the worker's own limit, so that the worker can still report what happened. */
const EXECUTION_SLACK_S = 60;
/** RunPod's bounds of executionTimeout and ttl (operation-reference, 2026-08-20). */
const RUNPOD_TIME_MAX_S = 7 * 24 * 3600;
/** How long an attempt without an id may still be recognised by its worker's first progress or its webhook. */
export const ADOPT_MS = 15 * 60_000;

/** A report lists up to 1,000 photos; one that is larger is none of ours. */
const REPORT_BYTES_MAX = 4 * 2 ** 20;

/** Pause before the next submission after one that RunPod was too busy to take: 5 s, doubled up to a minute. */
const BUSY_WAIT_S = { first: 5, max: 60 } as const;
/** How long to submit again. A job that waits longer ends, so that its person can decide. */
const BUSY_FOR_MS = 30 * 60_000;

export interface AttemptTimes {
  readonly executionTimeoutS: number;
  readonly ttlS: number;
  readonly deadlineS: number;
}

export function attemptTimes(jobSecondsMax: number): AttemptTimes {
  const executionTimeoutS = Math.min(RUNPOD_TIME_MAX_S, jobSecondsMax + EXECUTION_SLACK_S);
  const ttlS = Math.min(RUNPOD_TIME_MAX_S, executionTimeoutS + QUEUE_ALLOWANCE_S);
  return { executionTimeoutS, ttlS, deadlineS: ttlS + DEADLINE_SLACK_S };
}

/** Sends the job once. The event holds what is known afterwards: accepted, rejected, or unknown. */
export async function submit(plan: AttemptPlan, settings: Settings, runpod: RunPod): Promise<Event> {
  const { projectId, attempt } = plan;
  const grant: Grant = { projectId, attempt, nonce: plan.nonce, expiresAt: plan.deadlineAt };
  const times = attemptTimes(settings.limits.job_seconds_max);
  const input = await buildInput(plan, settings);
  const webhook = `${settings.workerUrl}/api/hooks/runpod/${await issue("hook-runpod", grant, settings.hookKeys)}`;
  try {
    const runpodId = await runpod.run(input, webhook, { executionTimeoutMs: times.executionTimeoutS * 1000, ttlMs: times.ttlS * 1000 });
    return { type: "submitted", attempt, runpodId };
  } catch (error) {
    if (!(error instanceof RunPodError)) throw error;
    if (error.kind === "unknown_outcome") return unconfirmed(attempt, Date.now() + ADOPT_MS);
    if (error.kind === "busy" && Date.now() - plan.submittedAt < BUSY_FOR_MS) return busy(attempt, busyWaitS(plan.refusals, error.retryAfterS), Date.now());
    console.error(`RunPod rejected a job (${error.status}): ${operatorAdvice(error)}`);
    return { type: "submit_refused", attempt, failure: submissionFailure(error) };
  }
}

function submissionFailure(error: RunPodError): Failure {
  const [message, hint] =
    error.kind === "busy"
      ? [`RunPod was too busy to take the job for ${BUSY_FOR_MS / 60_000} minutes.`, "Start it again later."]
      : [error.message, "Start it again later. If it fails again, contact whoever runs this service."];
  return { code: "UPSTREAM", message, hint, stage: null };
}

/** Seconds to wait after `refusals` earlier refusals, and at least as long as RunPod asks, within a minute. */
export function busyWaitS(refusals: number, retryAfterS: number | null): number {
  return Math.min(BUSY_WAIT_S.max, Math.max(BUSY_WAIT_S.first * 2 ** refusals, retryAfterS ?? 0));
}

function busy(attempt: number, waitS: number, now: number): Event {
  const retryAt = now + waitS * 1000;
  return { type: "submit_busy", attempt, retryAt, notice: { message: `RunPod is busy. The next try is in ${waitS} s.`, hint: null, until: retryAt } };
}

function unconfirmed(attempt: number, adoptUntil: number): Event {
  const time = new Date(adoptUntil).toISOString().slice(11, 16);
  const notice = {
    message: "RunPod did not confirm the start, so the job may or may not run.",
    hint: `If no worker reports by ${time} UTC, the job ends and can be started again.`,
    until: adoptUntil,
  };
  return { type: "submit_unknown", attempt, adoptUntil, notice };
}

/** For the log: what to change in the stack where RunPod rejects its jobs. */
function operatorAdvice({ kind, status }: RunPodError): string {
  if (kind === "busy") return "it accepts no more jobs right now";
  return status === 401 || status === 403 ? "its API key is not accepted: set a valid one, then run `pulumi up`" : "check that the endpoint exists, then run `pulumi up`";
}

const ANOTHER_REPORT: Failure = {
  code: "INTERNAL",
  message: "The job returned the report of another job.",
  hint: "Start it again. If it fails again, contact whoever runs this service.",
  stage: null,
};

/** What a status of the attempt's job means. bucketReport: the report that the worker left in the bucket, read unless RunPod itself has the result. */
export async function interpret(
  job: Job,
  projectId: string,
  status: RemoteStatus,
  bucketReport: () => Promise<Report | null>,
  now: number,
): Promise<Event> {
  const { attempt } = job;
  switch (status.kind) {
    case "in_queue":
      return { type: "in_queue", attempt };
    case "in_progress":
      return readPolledProgress(attempt, projectId, status.output, now);
    case "completed": {
      const outcome = readOutput(status.output);
      if (outcome.kind === "report" && isOurs(outcome.report, projectId, attempt)) return { type: "completed", attempt, report: outcome.report };
      const failure = outcome.kind === "failure" ? outcome.failure : ANOTHER_REPORT;
      return (await finished(attempt, bucketReport)) ?? failed(attempt, failure);
    }
    case "failed":
      return (await finished(attempt, bucketReport)) ?? failed(attempt, readFailure(status.error));
    case "timed_out":
      return (await finished(attempt, bucketReport)) ?? failed(attempt, { code: "TIME_LIMIT", message: "RunPod stopped the job at its time limit.", hint: "Use fewer photos or a smaller preset.", stage: null });
    case "cancelled":
      return (await finished(attempt, bucketReport)) ?? { type: "cancelled_remotely", attempt };
    case "gone": {
      // RunPod keeps results for 30 minutes; the report in the bucket stays as long as the project.
      const done = await finished(attempt, bucketReport);
      if (done !== null) return done;
      const waited = job.startedAt === null && job.deadlineAt !== null && now >= job.deadlineAt - DEADLINE_SLACK_S * 1000;
      if (waited) return { ...failed(attempt, NO_WORKER), stop: true };
      // A job that RunPod cannot find must not keep running somewhere while its owner starts another.
      return {
        ...failed(attempt, { code: "UPSTREAM", message: "RunPod has no record of the job, and the job left no report.", hint: "Start it again.", stage: null }),
        stop: true,
      };
    }
  }
}

/** The worker writes its report as its last step: where one is, the job is done, even if RunPod lost the worker before it could answer, or cannot read the answer. */
async function finished(attempt: number, bucketReport: () => Promise<Report | null>): Promise<Event | null> {
  const report = await bucketReport();
  return report === null ? null : { type: "completed", attempt, report };
}

/** Whether a job that a hook's body names really belongs to this attempt, by RunPod's own status of it. */
export function provesAttempt(status: RemoteStatus, projectId: string, attempt: number): boolean {
  if (status.kind === "completed") {
    const outcome = readOutput(status.output);
    return outcome.kind === "report" && isOurs(outcome.report, projectId, attempt);
  }
  if (status.kind !== "in_progress") return false;
  const progress = ProgressSchema.safeParse(status.output);
  return progress.success && progress.data.project_id === projectId && progress.data.attempt === attempt;
}

/** The report that this attempt's worker left in the bucket as its last step; null if there is none. */
export async function readBucketReport(bucket: R2Bucket, projectId: string, attempt: number): Promise<Report | null> {
  const object = await bucket.get(keys.output(projectId, attempt, "report.json"));
  if (object === null || object.size > REPORT_BYTES_MAX) return null;
  const parsed = ReportSchema.safeParse(await object.json().catch(() => null));
  return parsed.success && isOurs(parsed.data, projectId, attempt) ? parsed.data : null;
}

/** The report with only those artifacts that are in the bucket at their reported size. */
export async function confirmArtifacts(bucket: R2Bucket, projectId: string, report: Report): Promise<Report> {
  const prefix = keys.attempt(projectId, report.attempt);
  const { objects } = await bucket.list({ prefix });
  const sizes = new Map(objects.map(({ key, size }) => [key.slice(prefix.length), size]));
  const artifacts = Object.fromEntries(Object.entries(report.artifacts).filter(([name, { bytes }]) => sizes.get(name) === bytes));
  return { ...report, artifacts };
}

function isOurs(report: Report, projectId: string, attempt: number): boolean {
  return report.project_id === projectId && report.attempt === attempt;
}

function readPolledProgress(attempt: number, projectId: string, output: unknown, now: number): Event {
  const parsed = ProgressSchema.safeParse(output);
  if (!parsed.success || parsed.data.project_id !== projectId || parsed.data.attempt !== attempt) return { type: "in_progress", attempt };
  const { seq, stage, fraction, message, eta_s, preview, cameras } = parsed.data;
  const at = new Date(now).toISOString();
  return { type: "progress", attempt, seq, progress: { stage, fraction, message, eta_s: eta_s ?? null, preview: preview ?? null, cameras: cameras ?? null, at } };
}

function failed(attempt: number, failure: Failure): Extract<Event, { type: "failed" }> {
  return { type: "failed", attempt, failure };
}
