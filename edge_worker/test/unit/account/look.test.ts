// The account's own alarm: it rings while jobs are under way, writes history, and sees what is wrong.
import { env, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, test, vi } from "vitest";

import type { Index } from "../../../src/account/index-object.ts";
import { HOUR, MINUTE, Scene, T0, runpod } from "../support/scene.ts";

const stub = env.INDEX.get(env.INDEX.idFromName("account"));
const account = <R>(work: (index: Index) => R | Promise<R>): Promise<R> => runInDurableObject(stub, (instance) => work(instance as unknown as Index));
const alarmAt = (): Promise<number | null> => runInDurableObject(stub, (_index, { storage }) => storage.getAlarm());
const open = async (): Promise<string[]> => (await account((one) => one.alerts())).alerts.map(({ name }) => name);

/** Lets the account's alarm ring for so long. */
async function pass(ms: number): Promise<void> {
  const end = runpod.now + ms;
  for (let at = await alarmAt(); at !== null && at <= end; at = await alarmAt()) {
    runpod.now = Math.max(runpod.now, at);
    await runDurableObjectAlarm(stub);
  }
  runpod.now = end;
}

async function done(how: "webhook" | "poll"): Promise<Scene> {
  const scene = await Scene.withPhotos();
  await scene.start();
  runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
  if (how === "webhook") await scene.webhook();
  else await scene.pass(10_000);
  expect((await scene.view()).state).toBe("done");
  return scene;
}

test("a waiting job is seen every minute; without jobs the alarm ends", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const scene = await Scene.withPhotos();
  await scene.start();
  expect(await alarmAt()).toBe(T0 + MINUTE);
  await evictDurableObject(stub);
  expect(await alarmAt()).toBe(T0 + MINUTE);
  await pass(13 * MINUTE);
  expect(await open()).toEqual(["SplatJobsWaitTooLong"]);
  const { hours, waiting, underWay } = await account((one) => one.overview());
  expect([Math.max(...hours.map(({ wait_max_s }) => wait_max_s)), waiting, underWay.map(({ project_id }) => project_id)]).toEqual([13 * 60, 1, [scene.id]]);
  await scene.inside((project) => project.cancel());
  await pass(HOUR);
  expect(await open()).toEqual([]);
  expect(await alarmAt()).toBeNull();
});

test("a RunPod that stays silent is an alert after five minutes, though no job runs", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  runpod.health = () => "unreachable";
  await account((one) => one.look());
  expect(await open()).toEqual([]);
  await pass(6 * MINUTE);
  expect(await open()).toEqual(["SplatRunPodDoesNotAnswer"]);
  expect((await account((one) => one.overview())).health).toBeNull();
  runpod.health = () => ({ status: 200, body: { jobs: {}, workers: {} } });
  await pass(6 * MINUTE);
  expect([await open(), await alarmAt()]).toEqual([[], null]);
});

describe("webhooks", () => {
  const lost = async (): Promise<number> => (await account((one) => one.figures())).webhooksLost;

  test("that came, and jobs of releases that did not count them, are not lost", async () => {
    await done("webhook");
    const old = await done("poll");
    await runInDurableObject(stub, (_index, { storage }) => storage.sql.exec("UPDATE job SET hooked = NULL WHERE project = ?", old.id));
    runpod.now += HOUR;
    expect(await lost()).toBe(0);
  });

  test("that never came are lost after ten minutes, and an alert within the hour", async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const late = await done("poll");
    await done("poll");
    await done("poll");
    runpod.now += 9 * MINUTE;
    await account((one) => one.look());
    expect([await lost(), await open()]).toEqual([0, []]);
    runpod.now += 2 * MINUTE;
    await late.webhook();
    await account((one) => one.look());
    expect([await lost(), await open()]).toEqual([2, ["SplatWebhooksLost"]]);
    runpod.now += 2 * HOUR;
    await account((one) => one.look());
    expect([await lost(), await open()]).toEqual([2, []]);
  });
});

test("the books of a release without the newest column are read", async () => {
  await runInDurableObject(stub, (_index, { storage }) => storage.sql.exec("DROP INDEX job_webhook_due; ALTER TABLE job DROP COLUMN hooked"));
  await evictDurableObject(stub);
  expect((await account((one) => one.overview())).figures.webhooksLost).toBe(0);
  const scene = await Scene.withPhotos();
  await scene.start();
  await scene.inside((project) => project.cancel());
});
