// The photos of a project after their upload: thumbnails, originals, photos added for another attempt.
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Cloud } from "./support/cloud.ts";
import { ScriptedWorker } from "./support/runpod.ts";
import { PART_BYTES } from "../../shared/photo-types.ts";
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

describe("a clip", () => {
  const BYTES = PART_BYTES + 1000;
  const film = new Uint8Array(BYTES).fill(7);
  film.set([0, 0, 0, 24, ...Buffer.from("ftypisom")]);
  const declaration = { name: "walk.mp4", type: "video/mp4", bytes: BYTES, seconds: 12.5 };
  const declare = async (project: string) => (await cloud.call("POST", `/api/projects/${project}/photos`, { as: "upload", body: { photos: [declaration] } })).json.uploads[0];
  const parts = (project: string, stored: { number: number; etag: string }[] = [], as: "upload" | "view" = "upload") =>
    cloud.call("POST", `/api/projects/${project}/photos/0001.mp4/parts`, { as, body: { stored } });
  const send = async (part: { number: number; offset: number; bytes: number; url: string }) => {
    const response = await fetch(part.url, { method: "PUT", body: film.slice(part.offset, part.offset + part.bytes) });
    return { status: response.status, number: part.number, etag: response.headers.get("etag")?.replaceAll('"', "") ?? "" };
  };

  test("goes up in parts, continues where it was interrupted, and is assembled byte by byte", async () => {
    const project = await newProject(cloud, "Walk");
    expect(await declare(project)).toEqual({ name: "walk.mp4", as: "0001.mp4", method: "PARTS" });
    const begun = (await parts(project)).json;
    expect(begun).toMatchObject({ stored: 0, complete: false, parts: [{ number: 1, offset: 0, bytes: PART_BYTES }, { number: 2, offset: PART_BYTES, bytes: 1000 }] });
    expect((await send({ ...begun.parts[1], bytes: 999 })).status, "the address is bound to the part's size").toBe(403);
    const { number, etag } = await send(begun.parts[0]);
    // What another browser does: it declares the same clip, and knows nothing of parts.
    expect(await declare(project)).toMatchObject({ as: "0001.mp4" });
    const resumed = (await parts(project, [{ number, etag }])).json;
    expect(resumed).toMatchObject({ stored: PART_BYTES, complete: false, parts: [{ number: 2 }] });
    const last = await send(resumed.parts[0]);
    expect((await cloud.call("GET", `/api/projects/${project}`)).json).toMatchObject({ state: "uploading" });
    expect((await parts(project, [{ number: 2, etag: last.etag }])).json).toEqual({ stored: BYTES, parts: [], complete: true });
    expect((await parts(project)).json, "asked again after a lost answer").toMatchObject({ complete: true });
    expect((await cloud.call("GET", `/api/projects/${project}/photos`)).json.photos).toMatchObject([{ as: "0001.mp4", uploaded: true, frames: 25 }]);
    const stored = await fetch(`${cloud.url}/api/projects/${project}/photos/0001.mp4`, { headers: { authorization: `Bearer ${cloud.tokens.view}` } });
    expect(Buffer.compare(Buffer.from(await stored.arrayBuffer()), Buffer.from(film))).toBe(0);
    expect((await cloud.call("POST", `/api/projects/${project}/jobs`, { as: "upload", body: { preset: "preview" } })).status).toBe(202);
    expect(cloud.runpod.jobOf(project).input.photos).toMatchObject([{ name: "0001.mp4", frames_max: 25 }]);
    expect((await send(resumed.parts[0])).status, "no address writes to an assembled clip").toBe(404);
  });

  test("whose reported parts are not in the bucket is uploaded again from its first part", async () => {
    const project = await newProject(cloud, "Walk");
    await declare(project);
    const { json } = await parts(project);
    const refused = await parts(project, [{ number: 1, etag: "0".repeat(32) }, { number: 2, etag: "1".repeat(32) }]);
    expect([refused.status, refused.json.error.message]).toEqual([409, 'The storage does not hold the reported parts of "walk.mp4".']);
    expect((await parts(project)).json).toMatchObject({ stored: 0, parts: [{ number: 1 }, { number: 2 }] });
    expect((await send(json.parts[1])).status, "the upload of before is gone").toBe(404);
  });

  test("that is deleted before its end frees its parts", async () => {
    const project = await newProject(cloud, "Walk");
    await declare(project);
    const { json } = await parts(project);
    expect((await send(json.parts[1])).status).toBe(200);
    expect((await cloud.call("DELETE", `/api/projects/${project}/photos/0001.mp4`, { as: "upload" })).status).toBe(204);
    expect((await send(json.parts[0])).status).toBe(404);
    await declare(project);
    const other = (await cloud.call("POST", `/api/projects/${project}/photos/0002.mp4/parts`, { as: "upload", body: { stored: [] } })).json;
    expect((await cloud.call("DELETE", `/api/projects/${project}`)).status).toBe(204);
    expect((await send(other.parts[0])).status, "so does a deleted project").toBe(404);
  });

  test("is the only thing that goes up in parts, by those who may upload", async () => {
    expect((await cloud.call("POST", `/api/projects/${id}/photos/0001.jpg/parts`, { as: "upload", body: { stored: [] } })).status).toBe(409);
    expect((await cloud.call("POST", `/api/projects/${id}/photos/0099.mp4/parts`, { as: "upload", body: { stored: [] } })).status).toBe(404);
    expect((await parts(id, [], "view")).status).toBe(403);
    expect((await parts(id, [{ number: 1, etag: '"><a' }])).status).toBe(400);
  });
});
