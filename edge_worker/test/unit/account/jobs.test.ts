// The list of attempts, and a job's own ceiling. The real objects in workerd.
import { env, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";

import type { ListedJob } from "../../../shared/contracts/api.ts";
import type { Index } from "../../../src/account/index-object.ts";
import type { JobPlace } from "../../../src/account/jobs.ts";
import { MINUTE, Scene, runpod } from "../support/scene.ts";

const index = env.INDEX.get(env.INDEX.idFromName("account"));

function page(limit: number, after: JobPlace | null): Promise<ReturnType<Index["jobs"]>> {
  return runInDurableObject(index, (one) => (one as unknown as Index).jobs(limit, after));
}

async function listed(limit = 100): Promise<ListedJob[]> {
  const all: ListedJob[] = [];
  let after: JobPlace | null = null;
  for (;;) {
    const { jobs, more } = await page(limit, after);
    all.push(...jobs);
    const last = jobs.at(-1);
    if (!more || last === undefined) return all;
    after = { submittedAt: Date.parse(last.submitted_at), projectId: last.project_id, attempt: last.attempt };
  }
}

test("attempts are listed newest first with state, price and stages, in pages of any size, also of a deleted project", async () => {
  const [first, second] = [await Scene.withPhotos(), await Scene.withPhotos()];
  await first.start();
  runpod.status = () => ({ status: 200, body: { status: "IN_PROGRESS" } });
  await first.pass(5_000);
  runpod.status = () => ({ status: 200, body: { status: "FAILED", error: "CUDA error" } });
  await first.webhook();
  runpod.now += MINUTE;
  await first.start();
  await second.start();
  runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: second.report() } });
  await second.webhook();
  const jobs = await listed();
  expect(jobs.map(({ project_id, attempt, state }) => [project_id === first.id ? "first" : "second", attempt, state]).sort()).toEqual([
    ["first", 1, "failed"],
    ["first", 2, "queued"],
    ["second", 1, "done"],
  ]);
  expect(jobs.at(-1)).toMatchObject({ project_id: first.id, attempt: 1, error: null });
  expect(jobs.find(({ project_id }) => project_id === second.id)).toMatchObject({
    name: "Teapot", preset: "preview", photos: 5, usd: 0.5, seconds: 100, stages: [{ stage: "train", seconds: 60 }], error: null,
  });
  expect(jobs.find(({ state }) => state === "queued")).toMatchObject({ ended_at: null, seconds: null, stages: [] });
  runpod.now += 3 * MINUTE;
  expect((await runInDurableObject(index, (one) => (one as unknown as Index).figures())).oldestWaitMs).toBe(3 * MINUTE);
  for (const limit of [1, 2]) expect(await listed(limit)).toEqual(jobs);
  await second.inside((project) => project.remove());
  await first.inside((project) => project.cancel());
  expect((await runInDurableObject(index, (one) => (one as unknown as Index).figures())).oldestWaitMs).toBe(0);
  expect((await listed()).find(({ project_id }) => project_id === second.id)).toMatchObject({ name: null, state: "done", usd: 0.5 });
});

test("a job above its own ceiling is refused before anything is sent; below it the worker gets the ceiling, and so does a retry", async () => {
  const scene = await Scene.withPhotos();
  const start = (preset: "preview" | null, usdMax: number | null): Promise<unknown> => scene.inside((project) => project.start(preset, null, usdMax));
  expect(await start("preview", 0.001)).toMatchObject({ code: "BUDGET_EXCEEDED", message: expect.stringMatching(/^This job is estimated at \$0\.\d+, above its own limit of \$0\.001\.$/) });
  expect(runpod.runs).toHaveLength(0);
  await start("preview", 1.5);
  await scene.inside((project) => project.cancel());
  await start(null, null);
  await scene.inside((project) => project.cancel());
  await start(null, 0.7);
  await scene.inside((project) => project.cancel());
  const before = runpod.runs.map(({ input }) => input.limits.max_cost_usd);
  expect(before).toEqual([1.5, 1.5, 0.7]);
});
