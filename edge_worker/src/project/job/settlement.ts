// What an ended attempt cost, for the account's books. Pure.
import { roundUsd } from "../../account/estimate.ts";
import type { Settlement } from "../../account/index-object.ts";
import type { Job } from "./state.ts";

/** The price of its report, else the time that its worker ran at the current rate. */
export function settlement(projectId: string, job: Job, usdPerS: number): Settlement {
  const ranS = job.startedAt === null || job.finishedAt === null ? 0 : (job.finishedAt - job.startedAt) / 1000;
  return {
    projectId,
    attempt: job.attempt,
    outcome: job.state === "done" ? "done" : job.state === "cancelled" ? "cancelled" : "failed",
    usd: job.report?.price?.usd ?? roundUsd(ranS * usdPerS),
    seconds: job.report?.price?.billed_s ?? null,
    stages: job.report?.stages ?? [],
  };
}
