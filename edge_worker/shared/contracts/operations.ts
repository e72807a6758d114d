// What operators see of the whole service: workers, queue, money, history, alerts, and the checks that the edge does itself.
import * as z from "zod/mini";

import { PRESETS, STATES } from "../stages.ts";
import { ProjectSchema } from "./project.ts";

const Time = z.iso.datetime();

/** An hour or a day (UTC), from `at` on. Jobs and US dollars of the attempts that ended in it; the others are the highest seen. */
export const PeriodSchema = z.object({
  at: Time,
  done: z.int(),
  failed: z.int(),
  cancelled: z.int(),
  usd: z.number(),
  wait_max_s: z.number(),
  queue_max: z.int(),
  workers_max: z.int(),
});
export type Period = z.infer<typeof PeriodSchema>;

export const SEVERITIES = ["page", "warn"] as const;

/** since: when its condition began. */
const AlertSchema = z.object({ name: z.string(), severity: z.enum(SEVERITIES), since: Time, summary: z.string(), action: z.string() });
export type Alert = z.infer<typeof AlertSchema>;

/** How the receiver of alerts understands them, by its host. */
export const RECEIVERS = ["standard", "slack", "discord"] as const;
export type ReceiverKind = (typeof RECEIVERS)[number];

/** The address itself stays secret. last: the newest delivery, or its failure. */
const ReceiverSchema = z.object({
  kind: z.enum(RECEIVERS),
  host: z.string(),
  waiting: z.int(),
  last: z.nullable(z.object({ at: Time, ok: z.boolean(), detail: z.string() })),
});
export type Receiver = z.infer<typeof ReceiverSchema>;

/** seconds of the stage in jobs of the last 30 days that succeeded. */
const StageTimesSchema = z.object({ stage: z.string(), jobs: z.int(), p50_s: z.number(), p95_s: z.number() });
export type StageTimes = z.infer<typeof StageTimesSchema>;

/** since: when it was submitted, or began to run. */
const UnderWaySchema = z.object({
  project_id: z.string(),
  name: z.string(),
  state: z.enum(STATES),
  preset: z.nullable(z.enum(PRESETS)),
  photos: z.int(),
  place: z.nullable(z.int()),
  since: Time,
});
export type UnderWay = z.infer<typeof UnderWaySchema>;

/** advice: for operators, besides the hint for whoever uploaded the photos. */
const FailureSchema = z.object({
  project_id: z.string(),
  name: z.string(),
  at: Time,
  error: ProjectSchema.shape.error,
  advice: z.nullable(z.string()),
});
export type FailedJob = z.infer<typeof FailureSchema>;

const Counts = z.record(z.string(), z.number());

export const OperationsAnswer = z.object({
  at: Time,
  stack: z.string(),
  /** RunPod's counts by state; null: RunPod did not answer. */
  runpod: z.nullable(z.object({ jobs: Counts, workers: Counts })),
  queue: z.object({ waiting: z.int(), running: z.int(), oldest_wait_s: z.number() }),
  /** Of the last 24 hours and the last 30 days; null: no job ended. */
  success_rate: z.object({ day: z.nullable(z.number()), month: z.nullable(z.number()) }),
  spend: z.object({ today_usd: z.number(), month_usd: z.number(), reserved_usd: z.number(), budget_usd: z.number(), left_usd: z.number() }),
  stages: z.array(StageTimesSchema),
  under_way: z.array(UnderWaySchema),
  failures: z.array(FailureSchema),
  /** Oldest first: the last 24 hours, and the last 30 days. */
  hours: z.array(PeriodSchema),
  days: z.array(PeriodSchema),
  alerts: z.array(AlertSchema),
  /** null: `alertWebhook` is not set. */
  receiver: z.nullable(ReceiverSchema),
  stopped: z.nullable(z.object({ at: Time, reason: z.string() })),
  /** Addresses of the platforms' own pages; null where the stack does not run there. */
  consoles: z.object({ runpod: z.nullable(z.url()), cloudflare: z.nullable(z.url()), bucket: z.nullable(z.url()) }),
});
export type Operations = z.infer<typeof OperationsAnswer>;

/** state: `unknown` where nothing can be found out now. runbook: the heading in docs/runbook.md. */
const CheckSchema = z.object({
  name: z.string(),
  state: z.enum(["ok", "finding", "unknown"]),
  detail: z.string(),
  fix: z.nullable(z.string()),
  runbook: z.nullable(z.string()),
});
export type Check = z.infer<typeof CheckSchema>;
export const ChecksAnswer = z.object({ checks: z.array(CheckSchema) });

/** signing_secret: what a receiver verifies alerts with (Standard Webhooks). */
export const AlertsAnswer = z.object({ alerts: z.array(AlertSchema), receiver: z.nullable(ReceiverSchema), signing_secret: z.string() });
export const AlertTestAnswer = z.object({ ok: z.boolean(), detail: z.string() });
