// Whether one more job or upload fits the limits: jobs a day and at once, US dollars a month, bytes a day. Pure, numbers in its words.
// The rate limit stops bursts; this stops spending.
import type { Limits } from "../../shared/limits.ts";
import type { Refusal } from "../errors.ts";
import { roundUsd } from "./estimate.ts";

export interface Usage {
  readonly jobsToday: number;
  readonly jobsNow: number;
  /** Settled this month plus reserved by jobs under way. */
  readonly usdThisMonth: number;
}

const DAY_MS = 86_400_000;

export function startOfDay(now: number): number {
  return Math.floor(now / DAY_MS) * DAY_MS;
}

export function startOfMonth(now: number): number {
  const at = new Date(now);
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 1);
}

export function startOfNextMonth(now: number): number {
  const at = new Date(now);
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1);
}

/** The refusal, or null if the job may start. All times are UTC. */
export function checkQuota(usage: Usage, limits: Limits, estimateUsd: number, now: number): Refusal | null {
  const tomorrow = startOfDay(now) + DAY_MS;
  if (usage.jobsToday >= limits.jobs_per_day) {
    return refusal("TOO_MANY_REQUESTS", `${usage.jobsToday} jobs were started today, allowed ${limits.jobs_per_day} a day, until ${iso(tomorrow)}.`, tomorrow - now);
  }
  if (usage.jobsNow >= limits.jobs_at_once) {
    return refusal("TOO_MANY_REQUESTS", `${usage.jobsNow} jobs are under way, allowed ${limits.jobs_at_once} at once, until one of them ends.`, 60_000);
  }
  const left = limits.budget_usd_per_month - usage.usdThisMonth;
  if (estimateUsd > left) {
    return {
      refused: true,
      code: "BUDGET_EXCEEDED",
      message: `The job is estimated at ${roundUsd(estimateUsd)} USD; ${roundUsd(Math.max(0, left))} of ${limits.budget_usd_per_month} USD are left until ${iso(startOfNextMonth(now))}.`,
      hint: "Choose a smaller preset, wait, or raise budget_usd_per_month in the stack's configuration.",
    };
  }
  return null;
}

/** The refusal, or null if `bytes` more may be uploaded by an identity that was granted `usedBytes` today (UTC). */
export function checkUploadQuota(usedBytes: number, bytes: number, limits: Limits, now: number): Refusal | null {
  const allowed = limits.upload_bytes_per_day;
  if (usedBytes + bytes <= allowed) return null;
  const tomorrow = startOfDay(now) + DAY_MS;
  const message = `These photos have ${bytes} bytes; ${Math.max(0, allowed - usedBytes)} of ${allowed} bytes a day are left to you until ${iso(tomorrow)}.`;
  return refusal("TOO_MANY_REQUESTS", message, tomorrow - now);
}

function refusal(code: Refusal["code"], message: string, retryAfterMs: number): Refusal {
  return {
    refused: true,
    code,
    message,
    hint: "Wait, or raise the limit in the stack's configuration.",
    headers: { "retry-after": String(Math.ceil(retryAfterMs / 1000)) },
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
