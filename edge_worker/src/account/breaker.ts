// Whether workers fail to start, again and again: read from RunPod's counts, since the job API's key shows nothing else.
// Pure. The breaker opens after so many failed starts in a row; only an operator closes it.
import type { Health } from "../clients/runpod.ts";

/** Times in ms since 1970. */
export interface Breaker {
  /** Failed starts since a worker last ran a job. */
  readonly failures: number;
  /** Unhealthy workers when RunPod was last asked. */
  readonly unhealthy: number;
  /** Since when jobs wait beside workers that do not take them; null: they do not. */
  readonly stuckSince: number | null;
  /** Since when jobs wait and the endpoint has no worker in any state; null: it has one. */
  readonly noneSince: number | null;
  /** That lasts: the endpoint allows none. RunPod sets its maximum to 0 after a week without jobs. */
  readonly noWorker: boolean;
  readonly stopped: Stopped | null;
}

/** Whether a job that is started now will run. no_worker: jobs wait, and the endpoint has no worker in any state. */
export const STARTS = ["ok", "stopped", "no_worker"] as const;
export type Starts = (typeof STARTS)[number];

export interface Stopped {
  readonly at: number;
  readonly reason: string;
}

export const CLOSED: Breaker = { failures: 0, unhealthy: 0, stuckSince: null, noneSince: null, noWorker: false, stopped: null };

/** A ready worker takes a waiting job within a second. One that does not for so long counts as a failed start. */
const STUCK_MS = 60_000;

/** A waiting job makes RunPod start a worker, or count one as throttled, within seconds. */
const NONE_MS = 60_000;

/** The breaker after another look at RunPod's counts. failuresMax 0: it never opens. */
export function observe(before: Breaker, { jobs, workers }: Health, failuresMax: number, now: number): Breaker {
  if (before.stopped !== null) return before;
  const count = (name: string): number => workers[name] ?? 0;
  if (count("running") > 0 || (jobs["inProgress"] ?? 0) > 0) return CLOSED;
  const unhealthy = count("unhealthy");
  const none = (jobs["inQueue"] ?? 0) > 0 && Object.values(workers).every((n) => n === 0);
  const noneSince = none ? (before.noneSince ?? now) : null;
  // A worker that starts or waits for capacity is no failure, however long it takes.
  const stuck = (jobs["inQueue"] ?? 0) > 0 && count("idle") + unhealthy > 0;
  const since = stuck ? (before.stuckSince ?? now) : null;
  const stuckFor = since !== null && now - since >= STUCK_MS;
  const rise = Math.max(0, unhealthy - before.unhealthy);
  const failures = before.failures + (rise > 0 ? rise : stuckFor ? 1 : 0);
  const opens = failuresMax > 0 && failures >= failuresMax;
  return {
    failures,
    unhealthy,
    // Each failure counts once: the next minute begins with it.
    stuckSince: stuck && (rise > 0 || stuckFor) ? now : since,
    noneSince,
    noWorker: noneSince !== null && now - noneSince >= NONE_MS,
    stopped: opens ? { at: now, reason: `GPU workers failed to start ${failures} times in a row.` } : null,
  };
}
