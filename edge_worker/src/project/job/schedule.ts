// When a project's object wakes up next: to ask RunPod, to end a deadline, to repeat a cancel or a deletion.
// Pure; the alarm is only a reminder, what is due is decided again when it rings.
import { ACTIVE } from "../../../shared/stages.ts";
import { isWaiting, type Job } from "./state.ts";

const S = 1000;

/** How long RunPod may be silent before we ask again, by how long the attempt has been quiet. Values in ms. */
const QUEUED_STEPS = [
  { quietUnder: 60 * S, every: 5 * S },
  { quietUnder: 10 * 60 * S, every: 15 * S },
  { quietUnder: Number.POSITIVE_INFINITY, every: 60 * S },
] as const;
/** A worker that reports its progress needs few status calls: its end comes by webhook. */
const RUNNING_HEARD_EVERY = 30 * S;
const RUNNING_QUIET_EVERY = 15 * S;
const HEARD_RECENTLY = 20 * S;
const CANCEL_RETRY_EVERY = 10 * S;
/** How often a job in the account's queue asks whether it is its turn: the longest pause between two jobs. */
const TURN_EVERY = 5 * S;

/**
 * Time (ms) of the next alarm, or null if nothing will be due.
 * askedAt: when RunPod was last asked about the attempt (0: never); hurry: ask soon (a hook came that could not be followed up).
 */
export function nextAlarm(job: Job, now: number, { askedAt, hurry }: { readonly askedAt: number; readonly hurry: boolean }): number | null {
  const times: number[] = [];
  if (job.toCancel.length > 0) times.push(now + CANCEL_RETRY_EVERY);
  if (isWaiting(job)) times.push(now + TURN_EVERY);
  else if (ACTIVE.has(job.state)) {
    times.push(job.retryAt ?? (hurry ? now + 2 * S : Math.max(now, askedAt) + pollEvery(job, now)));
    if (job.deadlineAt !== null) times.push(job.deadlineAt);
    if (job.adoptUntil !== null) times.push(job.adoptUntil);
  }
  return times.length === 0 ? null : Math.max(now, Math.min(...times));
}

function pollEvery(job: Job, now: number): number {
  if (job.state === "running") {
    return job.heardAt !== null && now - job.heardAt < HEARD_RECENTLY ? RUNNING_HEARD_EVERY : RUNNING_QUIET_EVERY;
  }
  const quiet = now - (job.submittedAt ?? now);
  return QUEUED_STEPS.find(({ quietUnder }) => quiet < quietUnder)?.every ?? 60 * S;
}
