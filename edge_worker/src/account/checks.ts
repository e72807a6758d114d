// The doctor's checks that the edge can do itself, as findings with the fix. Pure: what was observed comes in.
// The words are those of `splat doctor`, which checks much more; the headings are those of docs/runbook.md.
import type { Check } from "../../shared/contracts/operations.ts";
import type { BucketProbe, RunPodProbe } from "../clients/probe.ts";
import { readableUsd } from "../format.ts";
import type { Breaker } from "./breaker.ts";

export interface Observed {
  readonly runpod: RunPodProbe;
  readonly bucket: BucketProbe;
  readonly breaker: Breaker;
  /** Where hooks and sign-in links lead, and where this call came in. */
  readonly workerUrl: string;
  readonly calledAt: string;
  readonly leftUsd: number;
  readonly budgetUsd: number;
}

/** Signed progress is refused after 5 minutes, S3 signatures after 15; a minute is no accident any more. */
const SKEW_LIMIT_S = 60;
/** Share of the month's budget that is left. */
const BUDGET_NEAR = 0.1;

type Result = Omit<Check, "name">;
const ok = (detail: string): Result => ({ state: "ok", detail, fix: null, runbook: null });
const unknown = (detail: string): Result => ({ state: "unknown", detail, fix: null, runbook: null });
const finding = (runbook: string, detail: string, fix: string): Result => ({ state: "finding", detail, fix, runbook });

export function judge(seen: Observed): Check[] {
  const checks: readonly (readonly [string, Result])[] = [
    ["RunPod key", runpodKey(seen.runpod)],
    ["Workers", workers(seen)],
    ["Bucket", bucket(seen.bucket)],
    ["Bucket CORS", cors(seen.bucket, new URL(seen.workerUrl).origin)],
    ["Webhook address", webhookAddress(seen)],
    ["Clock", clock(seen.bucket.skewS)],
    ["Budget", budget(seen)],
  ];
  return checks.map(([name, result]) => ({ name, ...result }));
}

function runpodKey({ health, status }: RunPodProbe): Result {
  if (health !== null) return ok("RunPod accepts it for this endpoint.");
  if (status === 401 || status === 403) {
    return finding("RunPod key", "RunPod rejects the app's copy of the key.", "Set a valid `runpod:apiKey` or `runpod:jobKey`, then run `splat up`.");
  }
  if (status === 404) return finding("Endpoint missing", "RunPod has no such endpoint.", "Run `splat doctor --fix`.");
  return finding("No answer", status === null ? "RunPod did not answer." : `RunPod answered ${status}.`, "Check RunPod's status page, then check again.");
}

/** The job API counts workers, but does not show how many the endpoint allows: that shows only while a job waits. */
function workers({ breaker, runpod: { health } }: Observed): Result {
  if (breaker.stopped !== null) return finding("Service stopped", `No job starts. ${breaker.stopped.reason}`, "Fix the reason, then run `splat resume`.");
  if (breaker.noWorker) {
    return finding("No workers allowed", "Jobs wait and the endpoint has no worker: its maximum may be 0.", "Run `splat doctor --fix`.");
  }
  if (breaker.failures > 0) return finding("Container failed to start", `${breaker.failures} starts of workers failed in a row.`, "Run `splat doctor` and `splat logs`.");
  if (health === null) return unknown("RunPod did not answer.");
  if (Object.values(health.workers).some((n) => n > 0)) return ok("The endpoint has workers.");
  return unknown("None runs, as none has to. Whether one can start shows with the next job.");
}

function bucket({ get }: BucketProbe): Result {
  // The key is accepted where the bucket looks for the object.
  if (get === 404) return ok("It accepts the app's key.");
  if (get === 403) return finding("Bucket round trip", "The bucket rejects the app's key.", "Run `splat doctor --fix`.");
  if (get === null) return finding("No answer", "The bucket did not answer.", "Check Cloudflare's status page, then check again.");
  return finding("Bucket round trip", `The bucket answered ${get} to a signed request.`, "Run `splat doctor`.");
}

function cors({ preflight }: BucketProbe, origin: string): Result {
  if (preflight === null) return unknown("The bucket did not answer.");
  const allowed = (preflight.origin === origin || preflight.origin === "*") && /\bPUT\b|\*/.test(preflight.methods);
  if (allowed) return ok(`Browsers may upload from ${origin}.`);
  return finding("Bucket CORS", `The bucket refuses uploads from ${origin}; it allows ${preflight.origin === "" ? "no origin" : preflight.origin}.`, "Run `splat doctor --fix`.");
}

function webhookAddress({ workerUrl, calledAt }: Observed): Result {
  const [own, here] = [new URL(workerUrl).origin, new URL(calledAt).origin];
  if (own === here) return ok(`Webhooks go to ${own}, where this app is.`);
  return finding("Webhook not received", `Webhooks go to ${own}, and this app is open at ${here}.`, "Set `domain` to the address that people use, then run `splat up`.");
}

function clock(skewS: number | null): Result {
  if (skewS === null) return unknown("The bucket's answer has no date.");
  if (Math.abs(skewS) <= SKEW_LIMIT_S) return ok(`Within ${Math.max(1, Math.round(Math.abs(skewS)))} s of the bucket's.`);
  return finding("Clock skew", `${Math.round(Math.abs(skewS))} s ${skewS > 0 ? "ahead of" : "behind"} the bucket's.`, "On a local stack turn on time synchronisation. Otherwise check Cloudflare's status page.");
}

function budget({ leftUsd, budgetUsd }: Observed): Result {
  const detail = `${readableUsd(Math.max(0, leftUsd))} of ${readableUsd(budgetUsd)} left this month.`;
  return leftUsd <= BUDGET_NEAR * budgetUsd ? finding("Budget nearly used", detail, "Raise `budgetUsdPerMonth`, then run `splat up`.") : ok(detail);
}
