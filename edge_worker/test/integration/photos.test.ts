// The photos of a project after their upload: thumbnails, originals, photos added for another attempt.
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Cloud } from "./support/cloud.ts";
import { ScriptedWorker } from "./support/runpod.ts";
import { jpeg, newProject, startJob, uploadPhotos } from "./support/scenes.ts";

let cloud: Cloud;
let id: string;
const image = (seed: number): string => Buffer.from(jpeg(300, seed)).toString("base64");
beforeAll(async () => {
  cloud = await Cloud.start();
  id = await newProject(cloud, "Kettle");
  await uploadPhotos(cloud, id, 5);
});
afterAll(() => cloud.stop());

const store = (thumbnails: object[], as: "upload" | "view" = "upload") => cloud.call("POST", `/api/projects/${id}/thumbnails`, { as, body: { thumbnails } });
const photo = (as: string, query = "") => cloud.call("GET", `/api/projects/${id}/photos/${as}${query}`, { as: "view" });

describe("the photos of a project", () => {
  test("have the thumbnails that were stored for them, until they are deleted", async () => {
    expect((await photo("0001.jpg", "?size=small")).status).toBe(404);
    expect((await store([{ as: "0001.jpg", image: image(1) }, { as: "0002.jpg", image: image(2) }])).status).toBe(204);
    const listed = (await cloud.call("GET", `/api/projects/${id}/photos`, { as: "view" })).json.photos;
    expect(listed.map((one: { thumbnail: boolean }) => one.thumbnail)).toEqual([true, true, false, false, false]);
    const response = await fetch(`${cloud.url}/api/projects/${id}/photos/0002.jpg?size=small`, { headers: { authorization: `Bearer ${cloud.tokens.view}` } });
    expect([response.headers.get("content-type"), response.headers.get("x-content-type-options")]).toEqual(["image/jpeg", "nosniff"]);
    expect(Buffer.from(await response.arrayBuffer()).toString("base64")).toBe(image(2));
    const etag = response.headers.get("etag") ?? "";
    expect((await cloud.call("GET", `/api/projects/${id}/photos/0002.jpg?size=small`, { headers: { "if-none-match": etag } })).status).toBe(304);
    expect((await cloud.call("DELETE", `/api/projects/${id}/photos/0002.jpg`, { as: "upload" })).status).toBe(204);
    expect((await photo("0002.jpg", "?size=small")).status).toBe(404);
  });

  test("are saved as they were uploaded, under their own name, and never shown", async () => {
    const response = await fetch(`${cloud.url}/api/projects/${id}/photos/0003.jpg`, { headers: { authorization: `Bearer ${cloud.tokens.view}` } });
    expect(response.headers.get("content-disposition")).toBe("attachment; filename=\"IMG_2.jpg\"; filename*=UTF-8''IMG_2.jpg");
    expect([response.headers.get("content-type"), response.headers.get("x-content-type-options")]).toEqual(["application/octet-stream", "nosniff"]);
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array(jpeg(2002, 2)));
    expect((await photo("0099.jpg")).status).toBe(404);
    expect((await cloud.call("GET", `/api/projects/${id}/photos/0003.jpg`, { as: null })).status).toBe(401);
  });

  test("accept no thumbnail that is no JPEG, of no photo, or by somebody who may only look", async () => {
    const svg = Buffer.from("<svg onload=alert(1)>".padEnd(300)).toString("base64");
    expect((await store([{ as: "0001.jpg", image: svg }])).status).toBe(400);
    expect((await store([{ as: "0001.jpg", image: image(1) }, { as: "../../x", image: image(1) }])).status).toBe(404);
    expect((await store([{ as: "0001.jpg", image: image(1) }], "view")).status).toBe(403);
    expect((await store(Array.from({ length: 41 }, () => ({ as: "0001.jpg", image: image(1) })))).status).toBe(400);
  });

  test("can be joined by others after the scene is done, for the next attempt", async () => {
    const { id: scene, job } = await startJob(cloud, 5);
    job.output = await new ScriptedWorker(job).work();
    job.status = "COMPLETED";
    await cloud.runpod.webhook(job);
    await uploadPhotos(cloud, scene, 2);
    expect((await cloud.call("GET", `/api/projects/${scene}`)).json).toMatchObject({ state: "done", photos: { count: 7 } });
    const again = await cloud.call("POST", `/api/projects/${scene}/jobs`, { body: { preset: "standard" } });
    expect(again.json).toMatchObject({ state: "queued", attempt: 2 });
    expect(cloud.runpod.jobOf(scene).input.photos).toHaveLength(7);
  });
});
