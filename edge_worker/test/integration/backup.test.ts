// Backup and restore over HTTP: what one deployment gives out, another takes, and a deployment with data refuses.
import { afterAll, beforeAll, expect, test } from "vitest";

import { Cloud } from "./support/cloud.ts";
import { newProject, startJob, until, uploadPhotos } from "./support/scenes.ts";
import { ScriptedWorker } from "./support/runpod.ts";

interface Entry {
  readonly of: string;
  readonly tables: Readonly<Record<string, readonly unknown[]>>;
}

const BACKUP = "b_00000000000000aa";

let from: Cloud;
let to: Cloud;
let entries: Entry[];
let scene: string;
let photos: string;
beforeAll(async () => {
  [from, to] = await Promise.all([Cloud.start(), Cloud.start()]);
  const { id, job } = await startJob(from);
  Object.assign(job, { status: "COMPLETED", output: await new ScriptedWorker(job).work() });
  await from.runpod.webhook(job);
  await until(from, id, "done");
  scene = id;
  photos = await newProject(from, "Still photos");
  await uploadPhotos(from, photos, 3);
  entries = await backup(from);
});
afterAll(async () => {
  await Promise.all([from.stop(), to.stop()]);
});

async function backup(cloud: Cloud): Promise<Entry[]> {
  const found: Entry[] = [];
  for (let query = ""; ; ) {
    const { status, json, text } = await cloud.call("GET", `/api/backup${query}`);
    if (status !== 200) throw new Error(text);
    found.push(...json.entries);
    if (json.cursor === null) return found;
    query = `?cursor=${encodeURIComponent(json.cursor)}`;
  }
}

function restore(cloud: Cloud, given: readonly Entry[], { overwrite = false, last = true, id = BACKUP } = {}) {
  return cloud.call("POST", "/api/restore", { body: { backup: id, overwrite, last, entries: given } });
}

test("a backup has every project and the account's books, in pages, and is an operator's", async () => {
  expect(entries.map(({ of }) => of)).toEqual(expect.arrayContaining([scene, photos, "account"]));
  for (const as of ["upload", "view"] as const) {
    expect((await from.call("GET", "/api/backup", { as })).status).toBe(403);
    expect((await from.call("POST", "/api/restore", { as, body: { backup: BACKUP, overwrite: true, last: true, entries: [] } })).status).toBe(403);
  }
});

test.each(["nothing~1", "projects~x", "-", "1~"])("the cursor %s is refused", async (cursor) => {
  expect((await from.call("GET", `/api/backup?cursor=${encodeURIComponent(cursor)}`)).status).toBe(400);
});

test("an empty deployment takes it in several calls, and lists the same scenes", async () => {
  const middle = Math.ceil(entries.length / 2);
  expect((await restore(to, entries.slice(0, middle), { last: false })).status).toBe(200);
  const { status, json } = await restore(to, entries.slice(middle));
  expect(status, JSON.stringify(json)).toBe(200);
  const listed = async (cloud: Cloud) => (await cloud.call("GET", "/api/projects")).json.projects.map(({ id, name, state }: Record<string, string>) => ({ id, name, state }));
  expect(await listed(to)).toEqual(await listed(from));
  expect((await to.call("GET", `/api/projects/${scene}`)).json).toMatchObject({ state: "done", name: "Teapot" });
});

test("a deployment with scenes refuses a backup, unless it may replace them", async () => {
  const refused = await restore(from, entries, { id: "b_00000000000000bb" });
  expect([refused.status, refused.json.error.code]).toEqual([409, "CONFLICT"]);
  const replaced = await restore(from, entries, { id: "b_00000000000000bb", overwrite: true });
  expect(replaced.status, replaced.text).toBe(200);
  expect((await from.call("GET", `/api/projects/${scene}`)).json).toMatchObject({ state: "done" });
});

test.each<[string, unknown]>([
  ["a project's id that is none", [{ of: "p_no", tables: {} }]],
  ["a row that is no row", [{ of: "account", tables: { attempts: [7] } }]],
  ["a value that no column holds", [{ of: "account", tables: { attempts: [{ id: { deep: 1 } }] } }]],
])("%s is refused", async (_, given) => {
  expect((await to.call("POST", "/api/restore", { body: { backup: BACKUP, overwrite: true, last: true, entries: given } })).status).toBe(400);
});
