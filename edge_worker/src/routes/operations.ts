// The operations page's calls: the state of the whole service, the edge's own checks, and where alerts go.
// For operators only; nothing here is a secret of the platforms.
import { AlertTestAnswer, AlertsAnswer, ChecksAnswer, OperationsAnswer } from "../../shared/contracts/operations.ts";
import { judge } from "../account/checks.ts";
import { successRate } from "../account/history.ts";
import { indexStub } from "../account/stub.ts";
import { signingSecrets } from "../clients/alert-webhook.ts";
import { probeBucket, probeRunPod } from "../clients/probe.ts";
import { ApiError } from "../errors.ts";
import { endpoint, type Endpoint } from "../http/mount.ts";
import type { Settings } from "../settings.ts";
import { viewSpend, viewStopped } from "./metrics.ts";

export const operationsEndpoints: readonly Endpoint[] = [
  endpoint({
    method: "GET",
    path: "/api/operations",
    access: "operate",
    summary: "Workers, queue, jobs, durations, spending, alerts, and the history of a day and a month",
    answers: { 200: OperationsAnswer },
    handle: async ({ c, env, settings, now }) => {
      const { figures, health, waiting, running, underWay, ...rest } = await indexStub(env).overview();
      return c.json({
        at: new Date(now).toISOString(),
        stack: settings.stack,
        runpod: health === null ? null : { jobs: health.jobs, workers: health.workers },
        queue: { waiting, running, oldest_wait_s: Math.round(figures.oldestWaitMs / 1000) },
        success_rate: { day: successRate(rest.hours), month: successRate(rest.days) },
        spend: viewSpend(figures, settings.limits.budget_usd_per_month),
        under_way: underWay,
        stopped: viewStopped(figures.breaker.stopped),
        consoles: consolesOf(settings),
        ...rest,
      });
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/operations/checks",
    access: "operate",
    summary: "What the edge can check itself: RunPod's key, workers, bucket, its CORS rules, webhook address, clock, budget",
    answers: { 200: ChecksAnswer },
    handle: async ({ c, env, settings }) => {
      const [figures, runpod, bucket] = await Promise.all([
        indexStub(env).figures(),
        probeRunPod(settings.runpod),
        probeBucket(settings, new URL(settings.workerUrl).origin),
      ]);
      const budgetUsd = settings.limits.budget_usd_per_month;
      const seen = { runpod, bucket, breaker: figures.breaker, workerUrl: settings.workerUrl, calledAt: c.req.url, leftUsd: budgetUsd - figures.usage.usdThisMonth, budgetUsd };
      return c.json({ checks: judge(seen) });
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/alerts",
    access: "operate",
    summary: "Open alerts, where they are sent, and the secret that signs them (Standard Webhooks)",
    answers: { 200: AlertsAnswer },
    handle: async ({ c, env, settings }) => {
      const [signing_secret = ""] = await signingSecrets(settings.hookKeys);
      return c.json({ ...(await indexStub(env).alerts()), signing_secret });
    },
  }),
  endpoint({
    method: "POST",
    path: "/api/alerts/test",
    access: "operate",
    summary: "Send a test to the receiver of alerts",
    answers: { 200: AlertTestAnswer },
    handle: async ({ c, env }) => {
      const sent = await indexStub(env).testAlert();
      if (sent === null) throw new ApiError("CONFLICT", "Alerts are sent nowhere.", { hint: "Set alertWebhook with `pulumi config set --secret`, then run `splat up`." });
      return c.json({ ok: sent.ok, detail: sent.detail });
    },
  }),
];

/** RunPod's job API and R2's S3 address are known hosts; a local stack has neither. */
export function consolesOf({ runpod, s3 }: Pick<Settings, "runpod" | "s3">): { runpod: string | null; cloudflare: string | null; bucket: string | null } {
  const account = /^([0-9a-f]{32})\.(?:(eu|fedramp)\.)?r2\.cloudflarestorage\.com$/.exec(new URL(s3.endpoint).hostname);
  const dashboard = account === null ? null : `https://dash.cloudflare.com/${account[1]}`;
  return {
    runpod: new URL(runpod.jobUrl).hostname === "api.runpod.ai" ? `https://console.runpod.io/serverless/user/endpoint/${encodeURIComponent(runpod.endpointId)}` : null,
    cloudflare: dashboard === null ? null : `${dashboard}/workers-and-pages`,
    bucket: dashboard === null ? null : `${dashboard}/r2/${account?.[2] ?? "default"}/buckets/${encodeURIComponent(s3.bucket)}`,
  };
}
