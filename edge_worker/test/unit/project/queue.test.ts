// Jobs beyond the limit of jobs at once: they wait in the account's object and start by themselves, in order.
// The limit of these tests is two jobs at once.
import { env, runInDurableObject } from "cloudflare:test";
import { beforeEach, expect, test } from "vitest";

import { MINUTE, Scene, runpod } from "../support/scene.ts";

const account = env.INDEX.get(env.INDEX.idFromName("account"));

beforeEach(async () => {
  await runInDurableObject(account, (index, state) => {
    // Jobs of the test before.
    for (const table of ["job", "waiting"]) state.storage.sql.exec(`DELETE FROM ${table}`);
    const limits = JSON.stringify({ ...JSON.parse((env as unknown as { LIMITS: string }).LIMITS), jobs_at_once: 2 });
    Object.defineProperty(index, "env", { value: { ...env, LIMITS: limits }, configurable: true });
  });
});

/** Asks of RunPod once: every job that runs ends. */
function endAll(): void {
  runpod.status = () => ({ status: 200, body: { status: "FAILED", error: "ended by the test" } });
}

const outlook = (): Promise<{ place: number | null }> => runInDurableObject(account, (index) => index.outlook(0.01));

test("a third and a fourth job wait with their places, and start in order when others end", async () => {
  const [first, second, third, fourth] = [await Scene.withPhotos(), await Scene.withPhotos(), await Scene.withPhotos(), await Scene.withPhotos()] as const;
  expect(await outlook()).toMatchObject({ place: null, refusal: null });
  await first.start();
  await second.start();
  expect(await outlook()).toMatchObject({ place: 1, refusal: null });
  expect(await third.start()).toMatchObject({ state: "queued", place: 1, started_at: null });
  runpod.now += 10;
  expect(await fourth.start()).toMatchObject({ state: "queued", place: 2 });
  expect(await outlook()).toMatchObject({ place: 3 });
  expect(runpod.runs).toHaveLength(2);
  await fourth.pass(MINUTE);
  await third.pass(MINUTE);
  expect(runpod.runs).toHaveLength(2);

  endAll();
  await first.pass(MINUTE);
  // The fourth asks first, and it is still not its turn.
  await fourth.pass(MINUTE / 6);
  expect(await fourth.view()).toMatchObject({ state: "queued", place: 2 });
  runpod.status = () => ({ status: 200, body: { status: "IN_QUEUE" } });
  await third.pass(MINUTE / 6);
  expect(await third.view()).toMatchObject({ state: "queued", place: null });
  expect(runpod.runs.map(({ input }) => input.project_id)).toEqual([first.id, second.id, third.id]);
  await fourth.pass(MINUTE / 6);
  expect(await fourth.view()).toMatchObject({ place: 1 });
  expect(runpod.runs).toHaveLength(3);
});

test("a job that is cancelled while it waits never runs and frees its place", async () => {
  const [first, second, third, fourth] = [await Scene.withPhotos(), await Scene.withPhotos(), await Scene.withPhotos(), await Scene.withPhotos()] as const;
  for (const scene of [first, second, third]) await scene.start();
  runpod.now += 10;
  await fourth.start();
  const cancelled = await third.inside((project) => project.cancel());
  expect(cancelled).toMatchObject({ state: "cancelled", place: null, started_at: null });
  await fourth.pass(MINUTE / 6);
  expect(await fourth.view()).toMatchObject({ state: "queued", place: 1 });
  expect(runpod.runs).toHaveLength(2);
  expect(runpod.cancelled).toEqual([]);
});

test("a project that stopped asking loses its turn to the next one", async () => {
  const scenes = [await Scene.withPhotos(), await Scene.withPhotos(), await Scene.withPhotos(), await Scene.withPhotos()];
  const [, , third, fourth] = scenes;
  for (const scene of scenes) {
    await scene.start();
    runpod.now += 10;
  }
  await fourth?.pass(6 * MINUTE);
  expect(await fourth?.view()).toMatchObject({ place: 1 });
  // It asks again, and stands behind.
  await third?.pass(MINUTE / 6);
  expect(await third?.view()).toMatchObject({ place: 2 });
});
