// Backup and restore of rows: what is in a backup, what a restore makes of it, and what it refuses to touch.
import { env, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, test } from "vitest";

import { ACCOUNT_TABLES } from "../../src/account/backup.ts";
import type { Index } from "../../src/account/index-object.ts";
import { UNEDITED } from "../../shared/contracts/edit.ts";
import { keys } from "../../src/clients/bucket-keys.ts";
import { isRefusal } from "../../src/errors.ts";
import { PROJECT_TABLES } from "../../src/project/store.ts";
import type { Row, Tables } from "../../src/rows.ts";
import { MINUTE, Scene, listed, runpod } from "./support/scene.ts";

const stub = env.INDEX.get(env.INDEX.idFromName("account"));
const account = <R>(work: (index: Index, sql: SqlStorage) => R | Promise<R>): Promise<R> => runInDurableObject(stub, (index, state) => work(index as unknown as Index, state.storage.sql));
const tablesIn = (sql: SqlStorage): string[] => sql.exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'").toArray().map((row) => String(row["name"]));

beforeEach(async () => {
  await account((_index, sql) => tablesIn(sql).forEach((table) => void sql.exec(`DELETE FROM "${table}"`)));
});

async function backupOf(scene: Scene): Promise<Tables> {
  const tables = await scene.inside((project) => project.backup());
  if (tables === null) throw new Error("no such project");
  return structuredClone(tables);
}

/** What is left of a project whose object's storage was lost; the bucket is untouched. */
async function lose(scene: Scene): Promise<void> {
  await runInDurableObject(scene.stub, async (_instance, state) => {
    await state.storage.deleteAlarm();
    await state.storage.deleteAll();
  });
  await scene.evict();
  await account((index) => index.remove(scene.id));
}

const restore = (scene: Scene, tables: Tables, overwrite = false): Promise<unknown> => scene.inside((project) => project.restore(scene.id, tables, overwrite));

async function finished(): Promise<Scene> {
  const scene = await Scene.withPhotos();
  await scene.start();
  await scene.leaveReport();
  runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
  await scene.webhook();
  expect((await scene.view()).state).toBe("done");
  return scene;
}

describe("a project", () => {
  test("comes back as it was, is listed again, and its share link works", async () => {
    const scene = await finished();
    const share = await scene.inside((project) => project.createShare({ expiresInS: null, embed: [] }, null));
    if (isRefusal(share)) throw new Error(share.message);
    const cover = (await scene.inside((project) => project.addCover(new Uint8Array(9), new Uint8Array(3)))) as number;
    await scene.inside((project) => project.edit({ ...UNEDITED, up: [0, -1, 0], cover }, null));
    const before = await scene.view();
    expect(before).toMatchObject({ edit: { cover }, edits: 1 });
    const tables = await backupOf(scene);
    await lose(scene);
    expect(await listed()).not.toContain(scene.id);
    expect(await restore(scene, tables)).toEqual({ result: "restored", missing: 0 });
    expect(await scene.view()).toEqual(before);
    expect(await listed()).toContain(scene.id);
    expect(await scene.inside((project) => project.openShare(share.token.split(".")[1] ?? ""))).toMatchObject({ project: { id: scene.id }, share: { embed: [] } });
    expect(await scene.inside((project) => project.photos())).toHaveLength(5);
  });

  test("that exists is kept, unless it may be replaced and no job of it runs", async () => {
    const scene = await finished();
    const tables = await backupOf(scene);
    await scene.inside((project) => project.rename("Renamed since"));
    expect(await restore(scene, tables)).toEqual({ result: "kept", missing: 0 });
    expect((await scene.view()).name).toBe("Renamed since");
    expect(await restore(scene, tables, true)).toEqual({ result: "restored", missing: 0 });
    expect((await scene.view()).name).toBe("Teapot");
    await scene.start();
    expect(await restore(scene, tables, true)).toEqual({ result: "kept", missing: 0 });
  });

  test("says how many of its files the bucket lacks", async () => {
    const scene = await finished();
    const tables = await backupOf(scene);
    await lose(scene);
    await env.BUCKET.delete([keys.photo(scene.id, "0001.jpg"), keys.photo(scene.id, "0002.jpg")]);
    expect(await restore(scene, tables)).toEqual({ result: "restored", missing: 2 });
  });

  test("whose job was at RunPod is followed there to its end", async () => {
    const scene = await Scene.withPhotos();
    await scene.start();
    const tables = await backupOf(scene);
    await lose(scene);
    await restore(scene, tables);
    expect((await scene.view()).state).toBe("queued");
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
    await scene.pass(MINUTE);
    expect((await scene.view()).state).toBe("done");
    expect(runpod.runs).toHaveLength(1);
  });

  test("whose job RunPod never had starts nothing by itself", async () => {
    runpod.run = () => ({ status: 429 });
    const scene = await Scene.withPhotos();
    expect(await scene.start()).toMatchObject({ state: "queued" });
    const tables = await backupOf(scene);
    await lose(scene);
    runpod.run = () => ({ status: 200 });
    await restore(scene, tables);
    await scene.pass(60 * MINUTE);
    expect(await scene.view()).toMatchObject({ state: "cancelled", error: { message: expect.stringContaining("Start it again.") } });
    expect(runpod.runs).toEqual([]);
  });

  test.each<{ what: string; change: (tables: Tables) => void; message: string }>([
    { what: "of another project", change: ({ project }) => set(project, "id", "p_0000000000000000"), message: "of another project" },
    { what: "with a column of a newer release", change: ({ photo }) => set(photo, "stars", 5), message: "no column stars" },
    { what: "of a table of a newer release", change: (tables) => void (tables["tag"] = []), message: "no such table" },
    { what: "in a state of a newer release", change: ({ project }) => set(project, "job", JSON.stringify({ state: "resting" })), message: "cannot read them" },
    { what: "with a job that is no JSON", change: ({ project }) => set(project, "job", "{"), message: "cannot read them" },
    { what: "with a time that is none", change: ({ project }) => set(project, "created_at", 1e300), message: "cannot read them" },
    { what: "that lack a name", change: ({ project }) => set(project, "name", null), message: "NOT NULL" },
    { what: "without a project", change: (tables) => void (tables["project"] = []), message: "cannot read them" },
  ])("is not restored from rows $what, and nothing changes", async ({ change, message }) => {
    const scene = await finished();
    const tables = await backupOf(scene);
    change(tables);
    const before = await scene.view();
    expect(await restore(scene, tables, true)).toMatchObject({ refused: true, code: "CONFLICT", message: expect.stringContaining(message) });
    expect(await scene.view()).toEqual(before);
    await lose(scene);
    expect(await restore(scene, tables)).toMatchObject({ refused: true });
    expect(await scene.inside((project) => project.view())).toMatchObject({ refused: true, code: "NOT_FOUND" });
  });

  test("keeps its worker's secrets out of a backup", async () => {
    const scene = await Scene.withPhotos();
    await scene.start();
    const text = JSON.stringify(await backupOf(scene));
    const { webhook, input } = runpod.runs[0] ?? { webhook: "", input: { progress: { secret: "" } } };
    expect(input.progress.secret.length).toBeGreaterThan(20);
    expect(text).not.toContain(input.progress.secret);
    expect(text).not.toContain(webhook.split(".").at(3));
  });

  test("has every table in a backup", async () => {
    const scene = await finished();
    const tables = await runInDurableObject(scene.stub, (_instance, state) => tablesIn(state.storage.sql));
    expect(tables.sort()).toEqual([...PROJECT_TABLES].sort());
  });
});

const JOB: Row = { project: "p_0000000000000001", attempt: 1, started_at: 1, expires_at: 2, usd: 1, preset: "preview", photos: 5 };

describe("the account", () => {
  test("has every table in a backup, or leaves it out on purpose", async () => {
    const tables = await account((_index, sql) => tablesIn(sql));
    expect(tables.sort()).toEqual([...ACCOUNT_TABLES, "alert", "alert_report", "login", "project", "push", "restore", "tally", "waiting"].sort());
  });

  test("has its books and its spending again", async () => {
    await finished();
    const before = await account((index) => index.figures());
    const { rows, next } = await account((index) => index.backupPage("job", 0));
    expect([rows.length, next]).toEqual([1, null]);
    await account((_index, sql) => void sql.exec("DELETE FROM job"));
    expect((await account((index) => index.figures())).usdMonth).toBe(0);
    await account((index) => index.restoreRows({ job: structuredClone(rows) }));
    expect((await account((index) => index.figures())).usdMonth).toBe(before.usdMonth);
    // Once more, as after an interruption: nothing is counted twice.
    await account((index) => index.restoreRows({ job: structuredClone(rows) }));
    expect((await account((index) => index.figures())).usdMonth).toBe(before.usdMonth);
  });

  test("pages its rows without gaps", async () => {
    await account((_index, sql) => {
      for (let n = 0; n < 1200; n += 1) sql.exec("INSERT INTO upload (identity, day, bytes) VALUES (?, ?, 1)", `caller ${n}`, n);
    });
    const seen: Row[] = [];
    for (let after: number | null = 0; after !== null; ) {
      const page: { rows: Row[]; next: number | null } = await account((index) => index.backupPage("upload", after ?? 0));
      seen.push(...page.rows);
      after = page.next;
    }
    expect(new Set(seen.map(({ identity }) => identity)).size).toBe(1200);
    expect(Object.keys(seen[0] ?? {}).sort()).toEqual(["bytes", "day", "identity"]);
  });

  test("with data is restored into only if that is allowed, or to continue", async () => {
    const open = (backup: string, overwrite = false): Promise<unknown> => account((index) => index.openRestore(backup, overwrite));
    expect(await open("b_1")).toBeNull();
    await Scene.withPhotos();
    expect(await open("b_1")).toBeNull();
    expect(await open("b_2")).toMatchObject({ refused: true, code: "CONFLICT" });
    expect(await open("b_2", true)).toBeNull();
    await account((index) => index.closeRestore());
    expect(await open("b_2")).toMatchObject({ refused: true });
  });

  test.each<{ what: string; tables: Tables }>([
    { what: "stages that are no JSON", tables: { job: [{ ...JOB, stages: "{" }] } },
    { what: "a price that is a word", tables: { job: [{ ...JOB, usd: "much" }] } },
    { what: "a start that is a word", tables: { job: [{ ...JOB, started_at: "soon" }] } },
    { what: "an end after all time", tables: { job: [{ ...JOB, settled_at: 9e15 }] } },
    { what: "a stop that is no JSON", tables: { breaker: [{ one: 1, state: "{" }] } },
  ])("takes no row with $what", async ({ tables }) => {
    expect(await account((index) => index.restoreRows(tables))).toMatchObject({ refused: true, code: "CONFLICT" });
    expect((await account((index) => index.jobs(10, null))).jobs).toEqual([]);
    expect((await account((index) => index.figures())).usdMonth).toBe(0);
    expect(await account((index) => index.restoreRows({ job: [JOB] }))).toBeNull();
  });

  test("takes all rows of a call, or none", async () => {
    const good = { identity: "a", day: 1, bytes: 1 };
    expect(await account((index) => index.restoreRows({ upload: [good, { identity: "b", day: 1 }] }))).toMatchObject({ refused: true, code: "CONFLICT" });
    expect(await account((index) => index.restoreRows({ login: [] }))).toMatchObject({ refused: true, message: expect.stringContaining("no such table") });
    expect((await account((index) => index.backupPage("upload", 0))).rows).toEqual([]);
  });
});

function set(rows: Row[] | undefined, column: string, value: string | number | null): void {
  const [row] = rows ?? [];
  if (row === undefined) throw new Error("no row to change");
  row[column] = value;
}
