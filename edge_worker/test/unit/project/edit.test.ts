// An edit that becomes files: a job of its own, the scene before that stays, what links show meanwhile, and its price.
// The real objects in workerd, under the clock of support/scene.ts.
import { env, runInDurableObject } from "cloudflare:test";
import { describe, expect, test } from "vitest";

import { UNEDITED, type Edit } from "../../../shared/contracts/edit.ts";
import type { EditJobInput } from "../../../shared/contracts/job-input.ts";
import type { Project as ProjectView } from "../../../shared/contracts/project.ts";
import { estimateEdit } from "../../../src/account/estimate.ts";
import type { Index } from "../../../src/account/index-object.ts";
import { keys } from "../../../src/clients/bucket-keys.ts";
import { attemptWith, viewShared } from "../../../src/project/view.ts";
import { Scene, runpod } from "../support/scene.ts";

const FILES = ["scene.ply", "scene.sog", "cameras.json"] as const;
const CROP = { shape: "sphere", centre: [0, 0, 0], radius: 1, keep: "inside", soft: 0 } as const;
const RECIPE = { ...UNEDITED, start: { position: [0, 0, -2], target: [0, 0, 0], fov: 60 }, crops: [{ ...CROP, centre: [0, 0, 0] }] } as Edit;
const PRICE = { gpu: "RTX 4090", usd_per_s: 0.00031, as_of: "2026-11-23", source: "" };

const inAccount = <R>(work: (index: Index) => R | Promise<R>): Promise<R> =>
  runInDurableObject(env.INDEX.get(env.INDEX.idFromName("account")), (index) => work(index as unknown as Index));

function done<T extends object>(answer: T): Exclude<T, { refused: true }> {
  if ("refused" in answer) throw new Error((answer as unknown as { message: string }).message);
  return answer as Exclude<T, { refused: true }>;
}

const refusalOf = (answer: object): string => ("message" in answer ? String(answer.message) : "none");

/** A project whose first attempt made a scene. */
async function finished(): Promise<Scene> {
  const scene = await Scene.withPhotos();
  await scene.start();
  const output = await scene.reportWith(1, FILES);
  runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output } });
  await scene.webhook();
  return scene;
}

const apply = async (scene: Scene): Promise<ProjectView> => done(await scene.inside((project) => project.applyEdit([])));

async function endEdit(scene: Scene, attempt: number, body?: object): Promise<ProjectView> {
  const output = await scene.reportWith(attempt, FILES, { edited: { base: attempt - 1, gaussians_before: 18230, start: RECIPE.start }, metrics: { psnr_db: 26, ssim: null, gaussians: 90, held_out: [] } });
  runpod.status = () => ({ status: 200, body: body ?? { status: "COMPLETED", output } });
  await scene.webhook(null, attempt);
  return scene.view();
}

describe("an edit that is applied", () => {
  test("is a job without photos, and becomes what is shown, with its start view and cover; the scene before can be shown again", async () => {
    const scene = await finished();
    const cover = done({ n: await scene.inside((project) => project.addCover(new Uint8Array([1, 2]), new Uint8Array([3]))) }).n as number;
    await scene.inside((project) => project.edit({ ...RECIPE, cover }, null));
    const underWay = await apply(scene);
    expect(underWay).toMatchObject({ state: "queued", attempt: 2, shown: 1, editing: { base: 1 }, edits: 1 });
    expect(underWay.report).toMatchObject({ attempt: 1 });
    const { input } = runpod.runs.at(-1) as unknown as { input: EditJobInput };
    expect(input).not.toHaveProperty("photos");
    expect(input.edit).toMatchObject({ base: 1, recipe: { ...RECIPE, cover } });

    const view = await endEdit(scene, 2);
    expect(view).toMatchObject({ state: "done", attempt: 2, shown: 2, error: null, report: { attempt: 2 }, edits: 1 });
    expect(view.edit).toEqual({ ...UNEDITED, start: RECIPE.start, cover });
    expect(await env.BUCKET.head(keys.cover(scene.id, 2, cover, "small"))).not.toBeNull();
    expect(view.results.map(({ attempt, base, gaussians }) => [attempt, base, gaussians])).toEqual([[1, null, 18230], [2, 1, 90]]);
    expect(view.results[0]?.artifacts["scene.sog"]?.url).toBe(`/api/projects/${scene.id}/artifacts/scene.sog?attempt=1`);

    const before = done(await scene.inside((project) => project.choose(1, null)));
    expect(before).toMatchObject({ state: "done", attempt: 2, shown: 1, edits: 1, report: { attempt: 1 } });
    expect(before.edit).toEqual({ ...RECIPE, cover });
    expect([attemptWith(before, "scene.sog", null), attemptWith(before, "scene.sog", 2), attemptWith(before, "scene.sog", 9), attemptWith(before, "scene.glb", null)]).toEqual([1, 2, null, null]);
    await scene.evict();
    expect(await scene.view()).toEqual(before);

    // A further edit continues from what is shown, and what it makes is shown.
    expect(done(await scene.inside((project) => project.applyEdit(["scene.glb"]))).editing).toEqual({ base: 1 });
    expect(Object.keys((runpod.runs.at(-1) as unknown as { input: EditJobInput }).input.outputs)).toContain("scene.glb");
    expect((await endEdit(scene, 3)).shown).toBe(3);
  });

  test("shows links the scene before until it is done", async () => {
    const scene = await finished();
    await scene.inside((project) => project.edit(RECIPE, null));
    const shared = viewShared(await apply(scene), "token");
    expect(shared).toMatchObject({ state: "done", shown: 1, report: { attempt: 1 } });
    expect(Object.keys(shared.artifacts)).toContain("scene.sog");
  });

  test.each([
    ["fails", { status: "FAILED", error: { code: "BAD_INPUT", message: "edit.crops.0: nothing of the scene is left.", hint: "Undo this crop.", stage: "export" } }, "edit.crops.0"],
    ["is cancelled at RunPod", { status: "CANCELLED" }, undefined],
  ])("and %s leaves the scene and its recipe as they were, and is tried again as the same edit", async (_what, body, words) => {
    const scene = await finished();
    await scene.inside((project) => project.edit(RECIPE, null));
    await apply(scene);
    const view = await endEdit(scene, 2, body);
    expect(view).toMatchObject({ state: "done", attempt: 2, shown: 1, editing: { base: 1 }, report: { attempt: 1 } });
    expect(view.edit).toEqual(RECIPE);
    expect(view.error?.message.slice(0, 12)).toBe(words);
    expect(await inAccount((index) => index.list(100, null).projects.find(({ id }) => id === scene.id)?.state)).toBe("done");
    const again = done(await scene.inside((project) => project.start(null)));
    expect(again).toMatchObject({ state: "queued", attempt: 3, editing: { base: 1 } });
    expect((runpod.runs.at(-1) as unknown as { input: EditJobInput }).input.edit.recipe).toEqual(RECIPE);
  });

  test("is refused where there is nothing to apply, no scene, or a job under way", async () => {
    const bare = await Scene.withPhotos();
    expect(refusalOf(await bare.inside((project) => project.applyEdit([])))).toBe("Only a finished scene can be edited.");
    const scene = await finished();
    expect(refusalOf(await scene.inside((project) => project.applyEdit([])))).toBe("There is no edit that changes the scene's files.");
    await scene.inside((project) => project.edit({ ...UNEDITED, start: RECIPE.start }, null));
    expect(refusalOf(await scene.inside((project) => project.applyEdit([])))).toBe("There is no edit that changes the scene's files.");
    await scene.inside((project) => project.edit(RECIPE, null));
    await apply(scene);
    expect(refusalOf(await scene.inside((project) => project.applyEdit([])))).toContain("while a job of it is queued");
    expect(refusalOf(await scene.inside((project) => project.edit(UNEDITED, null)))).toContain("while a job of it is queued");
    expect(refusalOf(await scene.inside((project) => project.choose(1, null)))).toContain("once the job under way has ended");
  });

  test("is made again from photos by a start, and the scenes before stay", async () => {
    const scene = await finished();
    await scene.inside((project) => project.edit(RECIPE, null));
    await apply(scene);
    await endEdit(scene, 2);
    const again = done(await scene.inside((project) => project.start(null)));
    expect(again).toMatchObject({ state: "queued", attempt: 3, editing: null, shown: 2, preset: "preview" });
    expect(runpod.runs.at(-1)?.input).toHaveProperty("photos");
    runpod.status = () => ({ status: 200, body: { status: "FAILED", error: { code: "SFM_FAILED", message: "no" } } });
    await scene.webhook(null, 3);
    expect(await scene.view()).toMatchObject({ state: "failed", shown: 2, report: { attempt: 2 } });
    expect(done(await scene.inside((project) => project.choose(2, null)))).toMatchObject({ state: "done", error: { code: "SFM_FAILED" } });
  });
});

describe("the price of an edit", () => {
  test("is its own: past edits count for edits, and past scenes for scenes", async () => {
    const scene = await finished();
    const samples = await inAccount((index) => index.samples());
    await scene.inside((project) => project.edit(RECIPE, null));
    await apply(scene);
    const reserved = await inAccount((index) => index.jobs(100, null).jobs.find((job) => job.project_id === scene.id && job.attempt === 2));
    const before = await inAccount((index) => index.editSamples());
    expect(reserved).toMatchObject({ attempt: 2, edit: true, usd: estimateEdit(18230, before, PRICE).usd });
    await endEdit(scene, 2);
    expect(await inAccount((index) => index.samples())).toEqual(samples);
    const [newest] = await inAccount((index) => index.editSamples());
    expect(newest).toEqual({ gaussians: 18230, seconds: 100 });
  });

  test("grows with the scene, and follows what past edits took", () => {
    expect(estimateEdit(1_000_000, [], PRICE)).toMatchObject({ seconds: 88, basis: "First guess: no edit was applied here yet." });
    expect(estimateEdit(100_000, [], PRICE).usd).toBeLessThan(estimateEdit(2_000_000, [], PRICE).usd);
    expect(estimateEdit(1_000_000, [{ gaussians: 1_000_000, seconds: 44 }], PRICE)).toMatchObject({ seconds: 44, basis: "From the last edit." });
  });
});
