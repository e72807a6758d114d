// What a project is, and what each event makes of it: one pure function, a row per state and event in its test.
// No clock, no network, no storage; a final state is left only by `start`, which is a new attempt.
import type { Edit } from "../../../shared/contracts/edit.ts";
import type { ExtraName } from "../../../shared/contracts/job-input.ts";
import type { Report } from "../../../shared/contracts/job-report.ts";
import type { Progress } from "../../../shared/contracts/project.ts";
import { ACTIVE, type Preset, type State } from "../../../shared/stages.ts";
import type { Failure } from "./outcome.ts";

/** Why a queued attempt waits, for its people. until: when that changes, ms; null: unknown. */
export interface Notice {
  readonly message: string;
  readonly hint: string | null;
  readonly until: number | null;
}

/** An edit to apply to the files of attempt `base`, which has so many Gaussians. also: files to make besides. */
export interface EditOrder {
  readonly base: number;
  readonly gaussians: number;
  readonly recipe: Edit;
  readonly also: readonly ExtraName[];
}

/** One project's job; times in ms since 1970. */
export interface Job {
  readonly state: State;
  /** Number of the current attempt; 0 before the first. */
  readonly attempt: number;
  readonly preset: Preset | null;
  /** Null: the attempt makes a scene from photos. Absent in rows of older versions. */
  readonly edit?: EditOrder | null;
  /** US dollars that the attempt may cost, as its caller set it; null: only the account's budget counts. */
  readonly usdMax: number | null;
  /** RunPod's id of the current attempt; null before its answer came (or if it never came). */
  readonly runpodId: string | null;
  /** RunPod endpoints that this project's attempts were submitted to, the newest first: a deployment may replace the endpoint while a job runs. */
  readonly endpoints: readonly string[];
  /** The place in the account's queue (1: next) of an attempt that waits for other jobs to end; else null, and absent in rows of older versions. */
  readonly place?: number | null;
  /** Until when an attempt without an id may still be recognised, after a submission whose outcome is unknown. */
  readonly adoptUntil: number | null;
  /** When to submit again, after a submission that RunPod surely did not take; null: it was taken, or that is unknown. */
  readonly retryAt: number | null;
  /** Submissions that RunPod surely did not take. */
  readonly refusals: number;
  /** Only while the attempt is queued. */
  readonly notice: Notice | null;
  readonly deadlineAt: number | null;
  readonly submittedAt: number | null;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  /** When RunPod or the worker last reported something about the attempt. */
  readonly heardAt: number | null;
  /** Highest sequence number of progress seen; older messages change nothing. */
  readonly progressSeq: number;
  readonly progress: Progress | null;
  readonly error: Failure | null;
  readonly report: Report | null;
  /** RunPod jobs that must stop, not yet confirmed as cancelled. */
  readonly toCancel: readonly string[];
}

export const NEW_JOB: Job = {
  state: "new",
  attempt: 0,
  preset: null,
  edit: null,
  usdMax: null,
  runpodId: null,
  endpoints: [],
  place: null,
  adoptUntil: null,
  retryAt: null,
  refusals: 0,
  notice: null,
  deadlineAt: null,
  submittedAt: null,
  startedAt: null,
  finishedAt: null,
  heardAt: null,
  progressSeq: -1,
  progress: null,
  error: null,
  report: null,
  toCancel: [],
};

/** Every event about an attempt carries its number: one about an older attempt changes nothing. */
export type Event =
  | { readonly type: "photos"; readonly declared: number; readonly uploaded: number }
  | { readonly type: "start"; readonly preset: Preset; readonly edit?: EditOrder | null; readonly usdMax?: number | null; readonly deadlineAt: number }
  /** Other jobs come first: the attempt waits in the account's queue. */
  | { readonly type: "wait"; readonly preset: Preset; readonly edit?: EditOrder | null; readonly usdMax?: number | null; readonly place: number }
  | { readonly type: "place"; readonly attempt: number; readonly place: number }
  /** A waiting attempt may be submitted now. */
  | { readonly type: "turn"; readonly attempt: number; readonly deadlineAt: number }
  | { readonly type: "submitted"; readonly attempt: number; readonly runpodId: string }
  | { readonly type: "submit_refused"; readonly attempt: number; readonly failure: Failure }
  | { readonly type: "submit_unknown"; readonly attempt: number; readonly adoptUntil: number; readonly notice?: Notice; readonly endpoint?: string }
  | { readonly type: "submit_busy"; readonly attempt: number; readonly retryAt: number; readonly notice: Notice }
  /** notice null: workers can start again. */
  | { readonly type: "workers"; readonly attempt: number; readonly notice: Notice | null }
  | { readonly type: "found"; readonly attempt: number; readonly runpodId: string }
  | { readonly type: "in_queue"; readonly attempt: number }
  | { readonly type: "in_progress"; readonly attempt: number }
  | { readonly type: "progress"; readonly attempt: number; readonly seq: number; readonly progress: Progress }
  | { readonly type: "completed"; readonly attempt: number; readonly report: Report }
  /** stop: it is unknown whether the job has really ended, so it is cancelled, too. */
  | { readonly type: "failed"; readonly attempt: number; readonly failure: Failure; readonly stop?: boolean }
  | { readonly type: "cancelled_remotely"; readonly attempt: number }
  | { readonly type: "clock"; readonly attempt: number }
  /** reason: shown as the project's error, where somebody else cancelled. */
  | { readonly type: "cancel"; readonly reason?: string }
  | { readonly type: "cancel_confirmed"; readonly runpodId: string };

export type EventType = Event["type"];

/** Earlier endpoints than these have no job of the project any more. */
const ENDPOINTS_MAX = 3;

/** States in which photos may be added and removed. */
export const OPEN: ReadonlySet<State> = new Set<State>(["new", "uploading", "ready"]);
/** States from which a new attempt may start. */
export const STARTABLE: ReadonlySet<State> = new Set<State>(["ready", "done", "failed", "cancelled"]);

/**
 * The job after an event at time `now` (ms). Events with nothing new return the same object.
 * The caller checks before `start` and `cancel` whether they are allowed (STARTABLE, ACTIVE); otherwise they are no-ops here.
 */
export function transition(job: Job, event: Event, now: number): Job {
  switch (event.type) {
    case "photos":
      return onPhotos(job, event.declared, event.uploaded);
    case "start":
      return STARTABLE.has(job.state) ? begin(job, event, event.deadlineAt, now) : job;
    case "wait":
      return STARTABLE.has(job.state) ? { ...begin(job, event, null, now), place: event.place } : job;
    case "cancel":
      return ACTIVE.has(job.state) ? end(job, "cancelled", now, { stop: true, ...cancelledFor(event.reason) }) : job;
    case "cancel_confirmed":
      return job.toCancel.includes(event.runpodId) ? { ...job, toCancel: job.toCancel.filter((id) => id !== event.runpodId) } : job;
    case "submitted":
    case "found":
      return onId(job, event.attempt, event.runpodId, now);
    default:
      return event.attempt === job.attempt && ACTIVE.has(job.state) ? onAttempt(job, event, now) : job;
  }
}

type AttemptEvent = Exclude<
  Event,
  { type: "photos" | "start" | "wait" | "cancel" | "cancel_confirmed" | "submitted" | "found" }
>;

function onAttempt(job: Job, event: AttemptEvent, now: number): Job {
  switch (event.type) {
    case "submit_refused":
      // An attempt that has an id was accepted; a late rejection can only belong to a repeated request.
      return job.runpodId === null ? end(job, "failed", now, { failure: event.failure }) : job;
    case "submit_unknown":
      return isUnsent(job) ? { ...job, adoptUntil: event.adoptUntil, retryAt: null, notice: event.notice ?? null, endpoints: newestFirst(event.endpoint, job.endpoints) } : job;
    case "submit_busy":
      return isUnsent(job) ? { ...job, adoptUntil: null, retryAt: event.retryAt, refusals: job.refusals + 1, notice: event.notice } : job;
    case "workers":
      return job.state === "queued" && job.runpodId !== null && job.notice?.message !== event.notice?.message ? { ...job, notice: event.notice } : job;
    case "place":
      return isWaiting(job) && job.place !== event.place ? { ...job, place: event.place } : job;
    case "turn":
      return isWaiting(job) ? { ...job, place: null, deadlineAt: event.deadlineAt, submittedAt: now } : job;
    case "in_queue":
      return { ...job, heardAt: now };
    case "in_progress":
      return run(job, now);
    case "progress":
      return onProgress(run(job, now), event.seq, event.progress);
    case "completed":
      return end(job, "done", now, { report: event.report });
    case "failed":
      return end(job, "failed", now, { failure: event.failure, stop: event.stop === true });
    case "cancelled_remotely":
      return end(job, "cancelled", now, {});
    case "clock":
      return onClock(job, now);
  }
}

function newestFirst(endpoint: string | undefined, before: readonly string[]): readonly string[] {
  return endpoint === undefined ? before : [endpoint, ...before.filter((one) => one !== endpoint)].slice(0, ENDPOINTS_MAX);
}

function isUnsent(job: Job): boolean {
  return job.runpodId === null && job.state === "queued";
}

function onPhotos(job: Job, declared: number, uploaded: number): Job {
  if (!OPEN.has(job.state)) return job;
  const state: State = declared === 0 ? "new" : uploaded === declared ? "ready" : "uploading";
  return state === job.state ? job : { ...job, state };
}

/** The attempt is in the account's queue and not at RunPod. */
export function isWaiting(job: Job): boolean {
  return job.state === "queued" && (job.place ?? null) !== null;
}

function begin(job: Job, { preset, edit, usdMax }: Extract<Event, { type: "start" | "wait" }>, deadlineAt: number | null, now: number): Job {
  return { ...NEW_JOB, state: "queued", attempt: job.attempt + 1, preset, edit: edit ?? null, usdMax: usdMax ?? null, deadlineAt, submittedAt: now, endpoints: job.endpoints, toCancel: job.toCancel };
}

/** The id of an attempt became known: store it, or cancel the job if nobody waits for that attempt any more. */
function onId(job: Job, attempt: number, runpodId: string, now: number): Job {
  if (attempt === job.attempt && job.runpodId === runpodId) return job;
  if (attempt === job.attempt && ACTIVE.has(job.state) && job.runpodId === null) {
    return { ...job, runpodId, adoptUntil: null, retryAt: null, notice: null, heardAt: now };
  }
  if (attempt === job.attempt && job.state === "done") return job;
  return job.toCancel.includes(runpodId) ? job : { ...job, toCancel: [...job.toCancel, runpodId] };
}

function run(job: Job, now: number): Job {
  return { ...job, state: "running", startedAt: job.startedAt ?? now, heardAt: now, adoptUntil: null, retryAt: null, notice: null };
}

/** A message without a preview or cameras does not take back those before. */
function onProgress(job: Job, seq: number, progress: Progress): Job {
  if (seq <= job.progressSeq) return job;
  return { ...job, progressSeq: seq, progress: { ...progress, preview: progress.preview ?? job.progress?.preview ?? null, cameras: progress.cameras ?? job.progress?.cameras ?? null } };
}

function onClock(job: Job, now: number): Job {
  if (job.deadlineAt !== null && now >= job.deadlineAt) {
    return end(job, "failed", now, { failure: job.state === "queued" ? NO_WORKER : DEADLINE_PASSED, stop: true });
  }
  if (job.runpodId === null && job.adoptUntil !== null && now >= job.adoptUntil) {
    return end(job, "failed", now, { failure: SUBMISSION_LOST });
  }
  return job;
}

interface Ending {
  readonly failure?: Failure;
  readonly report?: Report;
  /** The RunPod job may still be running and must be cancelled. */
  readonly stop?: boolean;
}

function end(job: Job, state: State, now: number, { failure, report, stop }: Ending): Job {
  const stops = stop === true && job.runpodId !== null && !job.toCancel.includes(job.runpodId);
  return {
    ...job,
    state,
    finishedAt: now,
    adoptUntil: null,
    retryAt: null,
    notice: null,
    place: null,
    error: failure ?? null,
    report: report ?? null,
    toCancel: stops && job.runpodId !== null ? [...job.toCancel, job.runpodId] : job.toCancel,
  };
}

function cancelledFor(reason: string | undefined): { failure?: Failure } {
  return reason === undefined ? {} : { failure: { code: "CANCELLED", message: reason, hint: null, stage: null } };
}

const DEADLINE_PASSED: Failure = {
  code: "TIME_LIMIT",
  message: "The job did not finish before its deadline.",
  hint: "Start it again with a smaller preset or fewer photos.",
  stage: null,
};

/** The job waited in RunPod's queue until it was dropped. */
export const NO_WORKER: Failure = {
  code: "UPSTREAM",
  message: "No GPU worker took the job in time.",
  hint: "Start it again later. If it happens again, contact whoever runs this service.",
  stage: null,
};

const SUBMISSION_LOST: Failure = {
  code: "UPSTREAM",
  message: "RunPod did not confirm that it accepted the job.",
  hint: "Start it again.",
  stage: null,
};
