// The whole path through the edge: photos up, job, progress, scene; and the ways off it (cancel, retry, delete).
// Real bundle, real R2 and objects, RunPod scripted over HTTP.
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Cloud } from "./support/cloud.ts";
import { ScriptedWorker } from "./support/runpod.ts";
import { jpeg, newProject, startJob, until, uploadPhotos } from "./support/scenes.ts";

let cloud: Cloud;
beforeAll(async () => {
  cloud = await Cloud.start();
});
afterAll(() => cloud.stop());

describe("the whole path", () => {
  test("photos become a scene", async () => {
    const id = await newProject(cloud);
    expect((await cloud.call("GET", `/api/projects/${id}`)).json).toMatchObject({ state: "new", photos: { count: 0, bytes: 0 }, attempt: 0 });
    await uploadPhotos(cloud, id, 6);
    expect((await cloud.call("GET", `/api/projects/${id}`)).json.state).toBe("ready");

    const estimate = await cloud.call("GET", `/api/projects/${id}/estimate?preset=preview`, { as: "view" });
    expect(estimate.json).toMatchObject({ seconds: 69, price: { gpu: "RTX 4090" } });

    const started = await cloud.call("POST", `/api/projects/${id}/jobs`, { as: "upload", body: { preset: "preview" } });
    expect(started.status).toBe(202);
    expect(started.json).toMatchObject({ state: "queued", preset: "preview", attempt: 1 });

    const job = cloud.runpod.jobOf(id);
    expect(job.policy).toEqual({ executionTimeout: 3_660_000, ttl: 7_260_000 });
    expect(job.input.photos.map(({ name }) => name)).toEqual(["0001.jpg", "0002.jpg", "0003.jpg", "0004.jpg", "0005.jpg", "0006.jpg"]);

    job.status = "IN_PROGRESS";
    const worker = new ScriptedWorker(job);
    expect((await worker.sendProgress(worker.progressMessage(0, "sfm", 0.5))).status).toBe(204);
    const running = (await cloud.call("GET", `/api/projects/${id}`)).json;
    expect(running).toMatchObject({ state: "running", progress: { stage: "sfm", fraction: 0.5, eta_s: 10, preview: null } });
    expect(running.started_at).not.toBeNull();

    job.output = await worker.work();
    job.status = "COMPLETED";
    expect((await cloud.runpod.webhook(job)).status).toBe(204);

    const done = (await cloud.call("GET", `/api/projects/${id}`)).json;
    expect(done).toMatchObject({ state: "done", error: null, report: { metrics: { psnr_db: 25.5 } } });
    expect(Object.keys(done.artifacts)).toEqual(["scene.ply", "scene.sog", "poster.webp"]);
    const scene = await cloud.call("GET", done.artifacts["scene.ply"].url, { as: "view" });
    expect(scene.text).toBe("ply bytes");
    const report = await cloud.call("GET", `/api/projects/${id}/artifacts/report.json`, { as: "view" });
    expect(report.json.project_id).toBe(id);
  });

  test("an estimate follows the jobs that ran", async () => {
    const { json } = await cloud.call("GET", "/api/estimate?preset=preview&photos=6", { as: "view" });
    expect(json).toMatchObject({ seconds: 10, usd: 0.0031, basis: "From the last job with this preset." });
  });

  test("a worker's failure is shown with its code and hint", async () => {
    const { id, job } = await startJob(cloud);
    job.status = "FAILED";
    job.error = JSON.stringify({ code: "SFM_FAILED", message: "No two photos overlap.", hint: "Take more photos.", stage: "sfm" });
    await cloud.runpod.webhook(job);
    expect((await cloud.call("GET", `/api/projects/${id}`)).json).toMatchObject({
      state: "failed",
      error: { code: "SFM_FAILED", message: "No two photos overlap.", hint: "Take more photos.", stage: "sfm" },
    });
  });

  test("polling makes up for a lost webhook", async () => {
    const { id, job } = await startJob(cloud);
    job.output = await new ScriptedWorker(job).work();
    job.status = "COMPLETED";
    expect(await until(cloud, id, "done")).toMatchObject({ state: "done" });
  });

  test("an artifact that is not in the bucket at its reported size is not shown", async () => {
    const { id, job } = await startJob(cloud);
    const worker = new ScriptedWorker(job);
    await worker.work({ "scene.ply": "whole" });
    job.output = worker.report({ "scene.ply": "whole", "scene.sog": "never uploaded" });
    job.status = "COMPLETED";
    await cloud.runpod.webhook(job);
    const done = (await cloud.call("GET", `/api/projects/${id}`)).json;
    expect(done.state).toBe("done");
    expect(Object.keys(done.artifacts)).toEqual(["scene.ply"]);
  });

  test("the preview can be watched while training runs", async () => {
    const { id, job } = await startJob(cloud);
    const worker = new ScriptedWorker(job);
    const url = `/api/projects/${id}/artifacts/preview.sog`;
    expect((await cloud.call("GET", url)).status).toBe(404);
    await worker.put("preview.sog", "first");
    await worker.sendProgress(worker.progressMessage(3, "train", 0.2, { preview: { artifact: "preview.sog", seq: 1 } }));
    const preview = await cloud.call("GET", `${url}?seq=1`, { as: "view" });
    expect(preview.text).toBe("first");
    expect(preview.headers.get("cache-control")).toBe("no-store");
    await worker.put("preview.sog", "second");
    expect((await cloud.call("GET", `${url}?seq=2`)).text).toBe("second");
  });
});

describe("off the happy path", () => {
  test("a cancelled job is cancelled at RunPod and stays cancelled even if it finishes", async () => {
    const { id, job } = await startJob(cloud);
    const cancelled = await cloud.call("POST", `/api/projects/${id}/jobs/cancel`, { as: "upload" });
    expect(cancelled.status).toBe(202);
    expect(cancelled.json.state).toBe("cancelled");
    expect(cancelled.json.error).toBe(null);
    expect(job.status).toBe("CANCELLED");
    job.status = "COMPLETED";
    job.output = new ScriptedWorker(job).report({});
    expect((await cloud.runpod.webhook(job)).status).toBe(204);
    expect((await cloud.call("GET", `/api/projects/${id}`)).json.state).toBe("cancelled");
    expect((await cloud.call("POST", `/api/projects/${id}/jobs/cancel`)).status).toBe(409);
  });

  test("the operator's reason for a cancel reaches the project and its watchers", async () => {
    const { id, job } = await startJob(cloud);
    const reason = "The service is being taken down.";
    const cancelled = await cloud.call("POST", `/api/projects/${id}/jobs/cancel`, { body: { reason } });
    expect(cancelled.status).toBe(202);
    expect(cancelled.json.state).toBe("cancelled");
    expect(cancelled.json.error).toEqual({ code: "CANCELLED", message: reason, hint: null, stage: null });
    expect(job.status).toBe("CANCELLED");
  });

  test("a retry is a new attempt, and the old attempt's addresses stop working", async () => {
    const { id, job } = await startJob(cloud);
    const kept = await fetch(job.input.checkpoint.put, { method: "PUT", headers: { "content-type": "application/octet-stream" }, body: "cameras and trainer" });
    expect(kept.status).toBe(200);
    job.status = "FAILED";
    job.error = { code: "OUT_OF_MEMORY", message: "The GPU's memory is full." };
    await cloud.runpod.webhook(job);
    const retried = await cloud.call("POST", `/api/projects/${id}/jobs/retry`, { as: "upload" });
    expect(retried.json).toMatchObject({ state: "queued", attempt: 2, preset: "preview", error: null });
    const second = cloud.runpod.jobOf(id);
    expect(second.id).not.toBe(job.id);
    expect(await (await fetch(second.input.checkpoint.get)).text()).toBe("cameras and trainer");
    expect((await cloud.runpod.webhook(job)).status).toBe(403);
    const old = new ScriptedWorker(job);
    expect((await old.sendProgress(old.progressMessage(9, "train", 0.9))).status).toBe(410);
    expect((await cloud.call("GET", `/api/projects/${id}`)).json).toMatchObject({ state: "queued", attempt: 2, progress: null });
  });

  test("deleting a project removes its bytes, its job and its list entry", async () => {
    const { id, job } = await startJob(cloud);
    const worker = new ScriptedWorker(job);
    await worker.put("scene.ply", "half a scene");
    expect((await cloud.call("DELETE", `/api/projects/${id}`, { as: "upload" })).status).toBe(403);
    expect((await cloud.call("DELETE", `/api/projects/${id}`)).status).toBe(204);
    expect((await cloud.call("GET", `/api/projects/${id}`)).status).toBe(404);
    expect(job.status).toBe("CANCELLED");
    expect((await fetch(job.input.photos[0]?.url ?? "")).status).toBe(404);
    const listed = await cloud.call("GET", "/api/projects?limit=100");
    expect(listed.json.projects.map((project: { id: string }) => project.id)).not.toContain(id);
  });

  test("photos cannot change while a job runs", async () => {
    const { id } = await startJob(cloud);
    const add = await cloud.call("POST", `/api/projects/${id}/photos`, { body: { photos: [{ name: "a.jpg", type: "image/jpeg", bytes: 10 }] } });
    expect(add.status).toBe(409);
    expect((await cloud.call("DELETE", `/api/projects/${id}/photos/0001.jpg`)).status).toBe(409);
    expect((await cloud.call("POST", `/api/projects/${id}/jobs`, { body: { preset: "preview" } })).status).toBe(409);
  });

  test("a job does not start with too few photos, with photos missing, or with a file that is no photo", async () => {
    const id = await newProject(cloud);
    await uploadPhotos(cloud, id, 4);
    const few = await cloud.call("POST", `/api/projects/${id}/jobs`, { body: { preset: "preview" } });
    expect([few.status, few.json.error.message]).toEqual([409, "The project has 4 photos. A scene needs at least 5."]);
    const declared = await cloud.call("POST", `/api/projects/${id}/photos`, { body: { photos: [{ name: "notes.jpg", type: "image/jpeg", bytes: 5 }] } });
    const missing = await cloud.call("POST", `/api/projects/${id}/jobs`, { body: { preset: "preview" } });
    expect(missing.json.error.message).toBe('1 of 5 photos are not uploaded yet: "notes.jpg" (0005.jpg).');
    const [{ url, headers }] = declared.json.uploads;
    expect((await fetch(url, { method: "PUT", headers, body: "hello" })).status).toBe(200);
    const alien = await cloud.call("POST", `/api/projects/${id}/jobs`, { body: { preset: "preview" } });
    expect(alien.json.error.message).toBe('1 of 5 files are not JPEG, PNG, WebP, HEIC or AVIF photos, nor MP4 or MOV clips: "notes.jpg" (0005.jpg).');
    expect(cloud.runpod.jobsOf(id)).toEqual([]);
  });
});

describe("uploads", () => {
  test("an address accepts only the declared type and size, and only once", async () => {
    const id = await newProject(cloud);
    const { json } = await cloud.call("POST", `/api/projects/${id}/photos`, { body: { photos: [{ name: "a.jpg", type: "image/jpeg", bytes: 100 }] } });
    const [{ url, headers, as }] = json.uploads;
    expect(as).toBe("0001.jpg");
    expect(headers).toEqual({ "content-type": "image/jpeg", "if-none-match": "*" });
    const put = async (body: Uint8Array<ArrayBuffer>, sent: Record<string, string>): Promise<number> => (await fetch(url, { method: "PUT", headers: sent, body })).status;
    expect(await put(jpeg(101), headers)).toBe(403);
    expect(await put(jpeg(100), { ...headers, "content-type": "text/html" })).toBe(403);
    expect(await put(jpeg(100), { "content-type": "image/jpeg" })).toBe(403);
    expect(await put(jpeg(100), headers)).toBe(200);
    expect(await put(jpeg(100), headers)).toBe(412);
  });

  test("two hundred at once all arrive", async () => {
    const id = await newProject(cloud);
    const batches = await Promise.all(
      [0, 1, 2, 3].map((batch) => {
        const photos = Array.from({ length: 50 }, (_, index) => ({ name: `${batch}-${index}.jpg`, type: "image/jpeg", bytes: 3000 }));
        return cloud.call("POST", `/api/projects/${id}/photos`, { as: "upload", body: { photos } });
      }),
    );
    const uploads: { as: string; url: string; headers: Record<string, string> }[] = batches.flatMap(({ json }) => json.uploads);
    expect(new Set(uploads.map(({ as }) => as)).size).toBe(200);
    const statuses = await Promise.all(uploads.map(async ({ url, headers }) => (await fetch(url, { method: "PUT", headers, body: jpeg(3000) })).status));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect((await cloud.call("GET", `/api/projects/${id}`)).json).toMatchObject({ state: "ready", photos: { count: 200, bytes: 600_000 } });
  });

  test("a photo declared again that has not arrived keeps its name and gets a fresh address", async () => {
    const id = await newProject(cloud);
    const photo = { name: "a.jpg", type: "image/jpeg", bytes: 100 };
    const first = await cloud.call("POST", `/api/projects/${id}/photos`, { body: { photos: [photo, photo] } });
    expect(first.json.uploads.map(({ as }: { as: string }) => as)).toEqual(["0001.jpg", "0002.jpg"]);
    const again = await cloud.call("POST", `/api/projects/${id}/photos`, { body: { photos: [photo] } });
    expect(again.json.uploads[0].as).toBe("0001.jpg");
    expect((await cloud.call("GET", `/api/projects/${id}/photos`)).json.photos).toHaveLength(2);
  });

  test("photos can be listed and deleted", async () => {
    const id = await newProject(cloud);
    await uploadPhotos(cloud, id, 2);
    expect((await cloud.call("GET", `/api/projects/${id}/photos`, { as: "view" })).json.photos).toEqual([
      { name: "IMG_0.jpg", as: "0001.jpg", type: "image/jpeg", bytes: 2000, uploaded: true, thumbnail: false, frames: null },
      { name: "IMG_1.jpg", as: "0002.jpg", type: "image/jpeg", bytes: 2001, uploaded: true, thumbnail: false, frames: null },
    ]);
    expect((await cloud.call("DELETE", `/api/projects/${id}/photos/0001.jpg`, { as: "upload" })).status).toBe(204);
    expect((await cloud.call("DELETE", `/api/projects/${id}/photos/0001.jpg`)).status).toBe(404);
    expect((await cloud.call("GET", `/api/projects/${id}`)).json.photos).toEqual({ count: 1, bytes: 2001 });
  });
});
