// Operations over HTTP: the state of the service, the edge's own checks against a real bucket, alerts at a real receiver.
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";

import { BUCKET, Cloud } from "./support/cloud.ts";
import { startJob, until } from "./support/scenes.ts";
import { ScriptedWorker } from "./support/runpod.ts";

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly status: number;
}

/** Keeps what it gets; answers `status`, which a test sets. */
class Receiver {
  readonly got: Received[] = [];
  status = 204;
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      this.got.push({ headers: request.headers, text: Buffer.concat(chunks).toString("utf8"), status: this.status });
      response.writeHead(this.status, this.status === 302 ? { location: "/elsewhere" } : {}).end();
    });
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook?token=secret`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Waits for so many messages; generous, since a machine may be busy. */
  async until(count: number, limitMs = 45_000): Promise<Received[]> {
    for (const end = Date.now() + limitMs; this.got.length < count; ) {
      if (Date.now() > end) throw new Error(`${this.got.length} messages arrived, wanted ${count}: ${this.got.map(({ text }) => text).join("\n")}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return this.got;
  }
}

let cloud: Cloud;
let address: string;
const receiver = new Receiver();
beforeAll(async () => {
  address = await receiver.start();
  cloud = await Cloud.start({ bindings: { ALERT_WEBHOOK: address } });
  await cloud.control("R2BucketCors", BUCKET, { rules: [{ allowed: { origins: [cloud.url], methods: ["PUT", "GET"], headers: ["content-type"] } }] });
});
afterAll(async () => {
  await cloud.stop();
  receiver.stop();
});

test("the state of the service has figures, jobs, history and failures, for operators only", async () => {
  expect((await cloud.call("GET", "/api/operations", { as: "upload" })).status).toBe(403);
  const { id, job } = await startJob(cloud);
  expect((await cloud.call("GET", "/api/operations")).json).toMatchObject({ queue: { waiting: 1, running: 0 }, under_way: [{ project_id: id, name: "Teapot", state: "queued", photos: 5, place: null }] });
  job.status = "IN_PROGRESS";
  Object.assign(job, { status: "COMPLETED", output: await new ScriptedWorker(job).work() });
  await cloud.runpod.webhook(job);
  await until(cloud, id, "done");
  const bad = await startJob(cloud);
  Object.assign(bad.job, { status: "FAILED", error: JSON.stringify({ code: "OUT_OF_MEMORY", message: "The GPU ran out of memory.", hint: "Use fewer photos.", stage: "train" }) });
  await cloud.runpod.webhook(bad.job);
  await until(cloud, bad.id, "failed");

  const { status, json } = await cloud.call("GET", "/api/operations");
  expect(status).toBe(200);
  expect(json).toMatchObject({
    stack: "test",
    runpod: { jobs: { inQueue: 2 }, workers: { idle: 1 } },
    queue: { waiting: 0, running: 0, oldest_wait_s: 0 },
    success_rate: { day: 0.5, month: 0.5 },
    stages: [{ stage: "sfm", jobs: 1, p50_s: 3, p95_s: 3 }, { stage: "train", jobs: 1, p50_s: 7, p95_s: 7 }],
    under_way: [],
    failures: [{ project_id: bad.id, error: { code: "OUT_OF_MEMORY", hint: "Use fewer photos." }, advice: "Set `gpu` to a card with more memory, or use a smaller preset." }],
    stopped: null,
    consoles: { runpod: null, cloudflare: null, bucket: null },
    receiver: { kind: "standard", host: new URL(address).host, waiting: 0, last: null },
  });
  expect([json.hours.length, json.days.length]).toEqual([24, 30]);
  expect(json.days.at(-1)).toMatchObject({ done: 1, failed: 1, usd: 0.0031 });
  expect(JSON.stringify(json)).not.toContain("token=secret");
});

test("the checks find nothing wrong, then a rejected bucket key and missing CORS rules", async () => {
  const states = async (): Promise<Record<string, string>> => {
    const { json } = await cloud.call("GET", "/api/operations/checks");
    return Object.fromEntries(json.checks.map(({ name, state }: { name: string; state: string }) => [name, state]));
  };
  expect(await states()).toEqual({ "RunPod key": "ok", Workers: "ok", Bucket: "ok", "Bucket CORS": "ok", "Webhook address": "ok", Clock: "ok", Budget: "ok" });
  await cloud.deploy({ bindings: { ALERT_WEBHOOK: address, S3_SECRET_ACCESS_KEY: "revoked", RUNPOD_API_KEY: "revoked", WORKER_URL: "http://127.0.0.1:1" } });
  expect(await states()).toMatchObject({ "RunPod key": "finding", Bucket: "finding", "Bucket CORS": "finding", "Webhook address": "finding" });
  await cloud.deploy({ bindings: { ALERT_WEBHOOK: address } });
});

test("an alert arrives once, signed, and once more when it clears; a failed delivery is repeated with the same id", async () => {
  const { signing_secret } = (await cloud.call("GET", "/api/alerts")).json;
  receiver.got.length = 0;
  receiver.status = 302;
  await cloud.call("POST", "/api/stop", { body: { reason: "Maintenance." } });
  await receiver.until(1);
  receiver.status = 204;
  const [first, second] = await receiver.until(2);
  expect(second?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
  await cloud.call("POST", "/api/resume");
  const [, raised, cleared] = await receiver.until(3);
  const verified = [raised, cleared].map((one) => new Webhook(signing_secret).verify(one?.text ?? "", one?.headers as Record<string, string>));
  expect(verified).toMatchObject([
    { type: "alert.raised", data: { name: "SplatServiceStopped", severity: "page", stack: "test", summary: "No job starts. Maintenance.", url: `${cloud.url}/operations` } },
    { type: "alert.cleared", data: { name: "SplatServiceStopped" } },
  ]);
  expect(() => new Webhook(`whsec_${Buffer.alloc(32).toString("base64")}`).verify(raised?.text ?? "", raised?.headers as Record<string, string>)).toThrow();
  // The account notes the delivery once the answer is back.
  await expect.poll(async () => (await cloud.call("GET", "/api/alerts")).json, { timeout: 45_000 }).toMatchObject({ alerts: [], receiver: { waiting: 0, last: { ok: true, detail: "127.0.0.1 accepted it." } } });
  expect(receiver.got).toHaveLength(3);
  expect(cloud.log()).not.toContain("token=secret");
});

test("a test alert reports what the receiver answered, and that there is none", async () => {
  const send = (): ReturnType<Cloud["call"]> => cloud.call("POST", "/api/alerts/test");
  expect((await send()).json).toEqual({ ok: true, detail: "127.0.0.1 accepted it." });
  receiver.status = 500;
  expect((await send()).json).toEqual({ ok: false, detail: "127.0.0.1 answered 500." });
  await cloud.deploy();
  expect((await send()).status).toBe(409);
  expect((await cloud.call("GET", "/api/operations")).json.receiver).toBeNull();
});

test("an address that may not be called configures nothing, and is not repeated", async () => {
  await cloud.deploy({ bindings: { ALERT_WEBHOOK: "https://10.0.0.7/secret-path" } });
  const { status, text } = await cloud.call("GET", "/api/operations");
  expect([status, text]).toEqual([503, expect.stringContaining("ALERT_WEBHOOK is an IP address, not a host name")]);
  expect(text).not.toContain("secret-path");
  await cloud.deploy();
});

