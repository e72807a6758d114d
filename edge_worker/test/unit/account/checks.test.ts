// Each check on what was observed: fine, broken in each way that it can see, and not known.
import { expect, test } from "vitest";

import { CLOSED } from "../../../src/account/breaker.ts";
import { judge, type Observed } from "../../../src/account/checks.ts";

const APP = "https://splat.example.org";
const FINE: Observed = {
  runpod: { health: { jobs: {}, workers: { idle: 1 } }, status: null },
  bucket: { get: 404, preflight: { origin: APP, methods: "GET,PUT" }, skewS: -0.4 },
  breaker: CLOSED,
  workerUrl: APP,
  calledAt: `${APP}/api/operations/checks`,
  leftUsd: 40,
  budgetUsd: 50,
};

test("a healthy service has no finding", () => {
  const checks = judge(FINE);
  expect(checks.map(({ name }) => name)).toEqual(["RunPod key", "Workers", "Bucket", "Bucket CORS", "Webhook address", "Clock", "Budget"]);
  expect(checks.filter(({ state }) => state !== "ok")).toEqual([]);
});

const runpod = (status: number | null): Partial<Observed> => ({ runpod: { health: null, status } });
const bucket = (change: Partial<Observed["bucket"]>): Partial<Observed> => ({ bucket: { ...FINE.bucket, ...change } });
const breaker = (change: Partial<Observed["breaker"]>): Partial<Observed> => ({ breaker: { ...CLOSED, ...change } });

test.each<[string, Partial<Observed>, string, string, string | null]>([
  ["a rejected RunPod key", runpod(401), "RunPod key", "finding", "RunPod key"],
  ["a RunPod key without rights", runpod(403), "RunPod key", "finding", "RunPod key"],
  ["a deleted endpoint", runpod(404), "RunPod key", "finding", "Endpoint missing"],
  ["a RunPod that fails", runpod(500), "RunPod key", "finding", "No answer"],
  ["a RunPod that is silent", runpod(null), "RunPod key", "finding", "No answer"],
  ["workers that cannot be counted", runpod(null), "Workers", "unknown", null],
  ["no worker, as none is needed", { runpod: { health: { jobs: {}, workers: { idle: 0 } }, status: null } }, "Workers", "unknown", null],
  ["an endpoint that allows no worker", breaker({ noWorker: true }), "Workers", "finding", "No workers allowed"],
  ["failed starts", breaker({ failures: 1 }), "Workers", "finding", "Container failed to start"],
  ["a stopped service", breaker({ stopped: { at: 0, reason: "Maintenance." } }), "Workers", "finding", "Service stopped"],
  ["a revoked bucket key", bucket({ get: 403 }), "Bucket", "finding", "Bucket round trip"],
  ["a bucket that fails", bucket({ get: 500 }), "Bucket", "finding", "Bucket round trip"],
  ["a silent bucket", bucket({ get: null }), "Bucket", "finding", "No answer"],
  ["CORS rules that nobody can read", bucket({ preflight: null }), "Bucket CORS", "unknown", null],
  ["no CORS rules", bucket({ preflight: { origin: "", methods: "" } }), "Bucket CORS", "finding", "Bucket CORS"],
  ["CORS rules for another origin", bucket({ preflight: { origin: "https://other.example", methods: "PUT" } }), "Bucket CORS", "finding", "Bucket CORS"],
  ["CORS rules without uploads", bucket({ preflight: { origin: APP, methods: "GET, HEAD" } }), "Bucket CORS", "finding", "Bucket CORS"],
  ["CORS rules for everybody", bucket({ preflight: { origin: "*", methods: "*" } }), "Bucket CORS", "ok", null],
  ["an app at another address", { calledAt: "https://team.workers.dev/api" }, "Webhook address", "finding", "Webhook not received"],
  ["a clock that is ahead", bucket({ skewS: 61 }), "Clock", "finding", "Clock skew"],
  ["a clock that is behind", bucket({ skewS: -900 }), "Clock", "finding", "Clock skew"],
  ["an answer without a date", bucket({ skewS: null }), "Clock", "unknown", null],
  ["a budget of which a tenth is left", { leftUsd: 5 }, "Budget", "finding", "Budget nearly used"],
  ["an overdrawn budget", { leftUsd: -1 }, "Budget", "finding", "Budget nearly used"],
])("%s", (_what, change, name, state, runbook) => {
  const check = judge({ ...FINE, ...change }).find((one) => one.name === name);
  expect([check?.state, check?.runbook]).toEqual([state, runbook]);
  expect(check?.fix === null).toBe(state !== "finding");
});

test("an overdrawn budget is shown as nothing left", () => {
  expect(judge({ ...FINE, leftUsd: -1 }).at(-1)?.detail).toBe("$0.00 of $50.00 left this month.");
});
