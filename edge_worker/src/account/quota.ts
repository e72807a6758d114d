// Whether one more job or upload fits the limits: jobs a day, US dollars a month, bytes a day, the card; and which job waits. Pure.
// The rate limit stops bursts; this stops spending.
import type { Card, Limits } from "../../shared/limits.ts";
import { PRESETS, type Preset } from "../../shared/stages.ts";
import type { Refusal } from "../errors.ts";
import { readableBytes, readableUsd } from "../format.ts";

export interface Usage {
  readonly jobsToday: number;
  readonly jobsNow: number;
  /** Settled this month plus reserved by jobs that have not ended. */
  readonly usdThisMonth: number;
}

/** A limit that is reached: the caller's answer, and the key that an operator can raise. */
export interface Reached {
  readonly refusal: Refusal;
  readonly configurationKey: string;
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

/** The place in the queue (1: next) of a job with `ahead` others waiting before it; null if it may start now. */
export function placeInQueue(usage: Pick<Usage, "jobsNow">, ahead: number, limits: Limits): number | null {
  return usage.jobsNow + ahead < limits.jobs_at_once ? null : ahead + 1;
}

/** Null if the job may start, now or in its turn. All times are UTC. */
export function checkQuota(usage: Usage, limits: Limits, estimateUsd: number, now: number): Reached | null {
  if (usage.jobsToday >= limits.jobs_per_day) {
    const message = `The daily limit of ${limits.jobs_per_day} jobs is reached until 00:00 UTC.`;
    return wait("jobsPerDay", message, "Start the job after that.", untilTomorrow(now));
  }
  const budget = limits.budget_usd_per_month;
  const left = Math.max(0, budget - usage.usdThisMonth);
  if (estimateUsd <= left) return null;
  const reset = new Date(startOfNextMonth(now)).toLocaleDateString("en-GB", { day: "numeric", month: "long", timeZone: "UTC" });
  const message = `This job is estimated at ${readableUsd(estimateUsd)}. ${readableUsd(left)} of the monthly budget of ${readableUsd(budget)} is left until ${reset}.`;
  const hint = "Choose a smaller preset, or start the job after that.";
  return { refusal: { refused: true, code: "BUDGET_EXCEEDED", message, hint }, configurationKey: "budgetUsdPerMonth" };
}

/** Null if `bytes` more may be uploaded by an identity that was granted `usedBytes` today (UTC). */
export function checkUploadQuota(usedBytes: number, bytes: number, limits: Limits, now: number): Reached | null {
  const allowed = limits.upload_bytes_per_day;
  if (usedBytes + bytes <= allowed) return null;
  const left = allowed - usedBytes;
  const rest = left <= 0 ? "used up" : `down to ${readableBytes(left)}`;
  const message = `These photos are ${readableBytes(bytes)}. Your daily upload limit of ${readableBytes(allowed)} is ${rest} until 00:00 UTC.`;
  return wait("uploadBytesPerDay", message, "Upload them after that, or make them smaller.", untilTomorrow(now));
}

/** Null if a job of that many photos fits into the memory of every card that it can get. */
export function checkCard(preset: Preset, photos: number, card: Card | null): Refusal | null {
  const most = card?.photos_max[preset];
  if (card === null || most === undefined || photos <= most) return null;
  const message = `${photos} photos with preset ${preset} need more memory than the GPU has (${card.name}, ${card.memory_gb} GB). At most ${most} fit.`;
  const coarser = PRESETS.slice(0, PRESETS.indexOf(preset)).findLast((one) => photos <= card.photos_max[one]);
  const fewer = `${coarser === undefined ? "Use" : `Choose preset ${coarser}, or use`} at most ${most} photos.`;
  return { refused: true, code: "CONFLICT", message, hint: fewer };
}

function wait(configurationKey: string, message: string, hint: string, retryAfterMs: number): Reached {
  const headers = { "retry-after": String(Math.ceil(retryAfterMs / 1000)) };
  return { refusal: { refused: true, code: "TOO_MANY_REQUESTS", message, hint, headers }, configurationKey };
}

function untilTomorrow(now: number): number {
  return startOfDay(now) + DAY_MS - now;
}
