// Figures for operators: jobs, workers, seconds, money; JSON or Prometheus text. And the switch that stops new jobs.
// Asks RunPod at most every few seconds; without its answer the other figures are still there.
import * as z from "zod/mini";

import type { Stopped } from "../account/breaker.ts";
import { roundUsd } from "../account/estimate.ts";
import type { AccountFigures } from "../account/index-object.ts";
import { indexStub } from "../account/stub.ts";
import { RunPod, RunPodError, type Health } from "../clients/runpod.ts";
import { endpoint, type Endpoint } from "../http/mount.ts";
import { words } from "../schema.ts";
import type { Settings } from "../settings.ts";

const HEALTH_FRESH_MS = 5_000;
let lastHealth: { readonly key: string; readonly at: number; readonly health: Health | null } | undefined;

/** Since when and why no job starts; null: jobs start. */
const StoppedSchema = z.nullable(z.object({ at: z.iso.datetime(), reason: z.string() }));
const REASON_LENGTH_MAX = 300;

const MetricsSchema = z.object({
  projects_by_state: z.record(z.string(), z.int()),
  jobs_by_outcome: z.record(z.string(), z.int()),
  success_rate: z.nullable(z.number()),
  jobs_under_way: z.int(),
  jobs_today: z.int(),
  stage_seconds: z.record(z.string(), z.object({ jobs: z.int(), seconds: z.number() })),
  spend: z.object({ today_usd: z.number(), month_usd: z.number(), reserved_usd: z.number(), budget_usd: z.number(), left_usd: z.number() }),
  oldest_wait_s: z.number(),
  webhooks_lost: z.int(),
  failed_starts: z.int(),
  no_worker: z.boolean(),
  stopped: StoppedSchema,
  runpod: z.nullable(z.object({ jobs: z.record(z.string(), z.number()), workers: z.record(z.string(), z.number()) })),
});
type Metrics = z.infer<typeof MetricsSchema>;

export const metricsEndpoints: readonly Endpoint[] = [
  endpoint({
    method: "GET",
    path: "/api/metrics",
    access: "operate",
    summary: "Jobs, workers, durations and spending; Prometheus text by Accept: text/plain",
    answers: { 200: MetricsSchema },
    handle: async ({ c, env, settings, now }) => {
      const [figures, health] = await Promise.all([indexStub(env).figures(), readHealth(settings, now)]);
      const metrics = collect(figures, health, settings.limits.budget_usd_per_month);
      const wantsText = (c.req.header("accept") ?? "").includes("text/plain");
      if (!wantsText) return c.json(metrics, 200, { "cache-control": "no-store" });
      return c.text(toPrometheus(metrics), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" });
    },
  }),
  endpoint({
    method: "POST",
    path: "/api/stop",
    access: "operate",
    summary: "Start no more jobs and end those that wait, until resumed; running jobs go on",
    body: z.strictObject({ reason: words(REASON_LENGTH_MAX) }),
    answers: { 200: z.object({ stopped: StoppedSchema }) },
    handle: async ({ c, env, body }) => c.json({ stopped: viewStopped(await indexStub(env).stop(body.reason)) }),
  }),
  endpoint({
    method: "POST",
    path: "/api/resume",
    access: "operate",
    summary: "Start jobs again, after a stop or after workers failed to start",
    answers: { 200: z.object({ stopped: StoppedSchema }) },
    handle: async ({ c, env }) => {
      await indexStub(env).resume();
      return c.json({ stopped: null });
    },
  }),
];

export function viewStopped(stopped: Stopped | null): z.infer<typeof StoppedSchema> {
  return stopped === null ? null : { at: new Date(stopped.at).toISOString(), reason: stopped.reason };
}

async function readHealth(settings: Settings, now: number): Promise<Health | null> {
  const key = settings.runpod.endpointId;
  if (lastHealth !== undefined && lastHealth.key === key && now - lastHealth.at < HEALTH_FRESH_MS) return lastHealth.health;
  let health: Health | null = null;
  try {
    health = await new RunPod(settings.runpod).health();
  } catch (error) {
    if (!(error instanceof RunPodError)) throw error;
  }
  lastHealth = { key, at: now, health };
  return health;
}

export function viewSpend({ usage, usdMonth, usdToday }: AccountFigures, budgetUsd: number): Metrics["spend"] {
  return {
    today_usd: roundUsd(usdToday),
    month_usd: roundUsd(usdMonth),
    reserved_usd: roundUsd(usage.usdThisMonth - usdMonth),
    budget_usd: budgetUsd,
    left_usd: roundUsd(Math.max(0, budgetUsd - usage.usdThisMonth)),
  };
}

function collect(figures: AccountFigures, health: Health | null, budgetUsd: number): Metrics {
  const { done = 0, failed = 0 } = figures.jobsByOutcome;
  const { usage } = figures;
  return {
    projects_by_state: { ...figures.projectsByState },
    jobs_by_outcome: { ...figures.jobsByOutcome },
    success_rate: done + failed === 0 ? null : done / (done + failed),
    jobs_under_way: usage.jobsNow,
    jobs_today: usage.jobsToday,
    stage_seconds: { ...figures.stageSeconds },
    spend: viewSpend(figures, budgetUsd),
    oldest_wait_s: Math.round(figures.oldestWaitMs / 1000),
    webhooks_lost: figures.webhooksLost,
    failed_starts: figures.breaker.failures,
    no_worker: figures.breaker.noWorker && figures.usage.jobsNow > 0,
    stopped: viewStopped(figures.breaker.stopped),
    runpod: health === null ? null : { jobs: health.jobs, workers: health.workers },
  };
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** Text exposition format 0.0.4. */
export function toPrometheus(metrics: Metrics): string {
  const lines: string[] = [];
  const family = (name: string, type: "gauge" | "counter", help: string, samples: readonly Sample[]): void => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of samples) {
      const inner = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
      lines.push(`${name}${inner.length > 0 ? `{${inner.join(",")}}` : ""} ${value}`);
    }
  };
  const by = (label: string, values: Readonly<Record<string, number>>): Sample[] => Object.entries(values).map(([key, value]) => [{ [label]: key }, value]);
  family("splat_projects", "gauge", "Projects by state.", by("state", metrics.projects_by_state));
  family("splat_jobs_ended_total", "counter", "Jobs that ended, by outcome.", by("outcome", metrics.jobs_by_outcome));
  family("splat_jobs_under_way", "gauge", "Jobs queued or running.", [[{}, metrics.jobs_under_way]]);
  family("splat_jobs_started_today", "gauge", "Jobs started since midnight UTC.", [[{}, metrics.jobs_today]]);
  const stages = Object.entries(metrics.stage_seconds);
  family("splat_stage_seconds_total", "counter", "Seconds spent per stage by jobs that succeeded.", stages.map(([stage, { seconds }]) => [{ stage }, seconds]));
  family("splat_stage_jobs_total", "counter", "Jobs that succeeded and reported the stage.", stages.map(([stage, { jobs }]) => [{ stage }, jobs]));
  family("splat_spend_usd", "gauge", "US dollars by period.", by("period", { today: metrics.spend.today_usd, month: metrics.spend.month_usd }));
  family("splat_reserved_usd", "gauge", "US dollars reserved for jobs that have not ended.", [[{}, metrics.spend.reserved_usd]]);
  family("splat_budget_usd", "gauge", "US dollars allowed a month.", [[{}, metrics.spend.budget_usd]]);
  family("splat_budget_left_usd", "gauge", "US dollars left this month.", [[{}, metrics.spend.left_usd]]);
  family("splat_oldest_wait_seconds", "gauge", "How long the oldest waiting job has waited.", [[{}, metrics.oldest_wait_s]]);
  family("splat_stopped", "gauge", "1 while no job starts.", [[{}, metrics.stopped === null ? 0 : 1]]);
  family("splat_no_worker", "gauge", "1 while jobs wait and the endpoint has no worker in any state.", [[{}, metrics.no_worker ? 1 : 0]]);
  family("splat_failed_starts", "gauge", "Starts of workers that failed in a row.", [[{}, metrics.failed_starts]]);
  family("splat_webhooks_lost_total", "counter", "Jobs that succeeded and whose webhook never came.", [[{}, metrics.webhooks_lost]]);
  family("splat_runpod_up", "gauge", "1 if RunPod answered.", [[{}, metrics.runpod === null ? 0 : 1]]);
  if (metrics.runpod !== null) {
    family("splat_runpod_jobs", "gauge", "RunPod's count of jobs.", by("state", metrics.runpod.jobs));
    family("splat_runpod_workers", "gauge", "RunPod's count of workers.", by("state", metrics.runpod.workers));
  }
  return `${lines.join("\n")}\n`;
}

function escapeLabel(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
