// Web Push from subscription to message, with a push service that checks the token and a browser that decrypts.
import { randomBytes } from "node:crypto";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Cloud } from "./support/cloud.ts";
import { PushService } from "./support/push-service.ts";
import { ScriptedWorker } from "./support/runpod.ts";
import { newProject, startJob } from "./support/scenes.ts";

let cloud: Cloud;
let service: PushService;
beforeAll(async () => {
  cloud = await Cloud.start({ bindings: { PUSH_KEY: randomBytes(32).toString("base64") } });
  service = await PushService.start();
  service.applicationServerKey = (await cloud.call("GET", "/api/settings", { as: "view" })).json.push_key;
});
afterAll(async () => {
  await cloud.stop();
  await service.stop();
});

const watch = (id: string, body: object = service.subscription()) => cloud.call("POST", `/api/projects/${id}/notifications`, { as: "view", body });

async function told(count: number): Promise<unknown[]> {
  const end = Date.now() + 20_000;
  while (service.messages.length < count && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
  return service.messages.splice(0).map((message) => JSON.parse(message) as unknown);
}

describe("a browser that asked for it", () => {
  test("gets a message when the scene is ready, once", async () => {
    const { id, job } = await startJob(cloud);
    expect((await watch(id)).status).toBe(204);
    expect((await watch(id)).status).toBe(204);
    job.output = await new ScriptedWorker(job).work();
    job.status = "COMPLETED";
    await cloud.runpod.webhook(job);
    expect(await told(1)).toEqual([{ title: "Teapot", body: "Your scene is ready.", path: `/p/${id}` }]);
    expect(service.rejected).toEqual([]);
  });

  test("gets the reason why a job failed, also when the service is busy at first", async () => {
    const { id, job } = await startJob(cloud);
    await watch(id);
    service.answers.push(503);
    job.status = "FAILED";
    job.error = JSON.stringify({ code: "SFM_FAILED", message: "No two photos overlap.", hint: "Take more photos.", stage: "sfm" });
    await cloud.runpod.webhook(job);
    expect(await told(1)).toMatchObject([{ body: "The job failed. No two photos overlap." }]);
  });

  test("is forgotten when its subscription has expired", async () => {
    const [first, second] = [await startJob(cloud), await startJob(cloud)];
    await watch(first.id);
    await watch(second.id);
    service.answers.push(410);
    await cloud.call("POST", `/api/projects/${first.id}/jobs/cancel`);
    const end = Date.now() + 20_000;
    while (service.answers.length > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
    await cloud.call("POST", `/api/projects/${second.id}/jobs/cancel`);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await told(0)).toEqual([]);
  });
});

describe("a subscription is refused", () => {
  test("unless a job is under way", async () => {
    expect((await watch(await newProject(cloud))).status).toBe(409);
  });

  test.each([
    ["an address inside of a network", { endpoint: "https://10.0.0.1/send" }],
    ["an address without https", { endpoint: "http://push.example.org/send" }],
    ["a key that is no point of the curve", { keys: { p256dh: `B${"A".repeat(86)}`, auth: "A".repeat(22) } }],
    ["another field", { more: true }],
  ])("with %s", async (_, change) => {
    const { id } = await startJob(cloud);
    expect((await watch(id, { ...service.subscription(), ...change })).status).toBe(400);
  });

  test("where the stack has no key", async () => {
    await cloud.deploy();
    expect((await cloud.call("GET", "/api/settings", { as: "view" })).json.push_key).toBeNull();
    const { id } = await startJob(cloud);
    expect((await watch(id)).status).toBe(409);
  });
});
