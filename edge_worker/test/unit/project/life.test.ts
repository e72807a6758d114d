// What happens to a project beside its job: watchers that sleep, uploads and their daily bytes, repeated calls, the sweeper.
// The real objects in workerd, under the clock of support/scene.ts.
import { env, runInDurableObject } from "cloudflare:test";
import { describe, expect, test, vi } from "vitest";

import type { Project } from "../../../shared/contracts/project.ts";
import { keys } from "../../../src/clients/bucket-keys.ts";
import type { Index } from "../../../src/account/index-object.ts";
import type { Env } from "../../../src/env.ts";
import { WATCH_UNTIL_HEADER } from "../../../src/project/watchers.ts";
import { ABANDONED_AFTER_MS, sweepAbandoned } from "../../../src/sweeper.ts";
import { HOUR, MINUTE, Scene, listed, runpod } from "../support/scene.ts";

const index = env.INDEX.get(env.INDEX.idFromName("account"));
const photo = (name: string, bytes = 4): { name: string; type: "image/jpeg"; bytes: number } => ({ name, type: "image/jpeg", bytes });

interface Watcher {
  readonly socket: WebSocket;
  readonly heard: Project[];
  readonly closed: { code?: number };
}

async function watch(scene: Scene, until = ""): Promise<Watcher> {
  const response = await scene.stub.fetch("https://project/events", { headers: { upgrade: "websocket", [WATCH_UNTIL_HEADER]: until } });
  const socket = response.webSocket;
  if (socket === null) throw new Error(`no websocket: ${response.status}`);
  const watcher: Watcher = { socket, heard: [], closed: {} };
  socket.addEventListener("message", ({ data }) => {
    watcher.heard.push((JSON.parse(String(data)) as { project: Project }).project);
  });
  socket.addEventListener("close", ({ code }) => {
    watcher.closed.code = code;
  });
  socket.accept();
  await settled();
  return watcher;
}

/** Messages travel as events of their own. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

describe("a watcher", () => {
  test("stays connected while the object is out of memory, and receives changes when it wakes", async () => {
    const scene = await Scene.withPhotos();
    const { socket, heard } = await watch(scene);
    expect(heard.map(({ state }) => state)).toEqual(["ready"]);
    await scene.evict();
    await scene.start();
    await scene.evict();
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
    await scene.webhook();
    await settled();
    expect([...new Set(heard.map(({ state }) => state))]).toEqual(["ready", "queued", "done"]);
    expect(heard.at(-1)).toEqual(await scene.view());
    socket.close();
  });

  test("that slept for an hour first gets the current state, the same as a plain GET", async () => {
    const scene = await Scene.withPhotos();
    const before = await watch(scene);
    before.socket.close();
    runpod.status = (minutes) => ({ status: 200, body: minutes < 50 ? { status: "IN_PROGRESS" } : { status: "COMPLETED", output: scene.report() } });
    await scene.start();
    await scene.progress(1, 0.4);
    await scene.evict();
    await scene.pass(HOUR);
    const { socket, heard } = await watch(scene);
    expect(heard).toEqual([await scene.view()]);
    expect(heard[0]).toMatchObject({ state: "done", progress: { fraction: 0.4 } });
    socket.close();
  });

  test("is closed when its sign-in expires, without another message", async () => {
    const scene = await Scene.withPhotos();
    const [guest, member] = [await watch(scene, String(runpod.now + MINUTE)), await watch(scene)];
    await scene.evict();
    runpod.now += 2 * MINUTE;
    await scene.inside((project) => project.rename("Kettle"));
    await settled();
    expect([guest.heard.length, guest.closed.code]).toEqual([1, 4401]);
    expect(member.heard.at(-1)?.name).toBe("Kettle");
    member.socket.close();
  });
});

describe("bytes of a day", () => {
  const LIMIT = 21_474_836_480;
  async function at<T>(now: number, work: (index: Index) => T): Promise<T> {
    vi.setSystemTime(now);
    return runInDurableObject(index, (instance) => work(instance as unknown as Index));
  }

  test("are counted for each identity, refused with what is left, and free again after midnight UTC", async () => {
    const noon = Date.UTC(2030, 0, 1, 12);
    expect(await at(noon, (own) => own.grantUpload("ada", LIMIT - 10))).toBeNull();
    expect(await at(noon, (own) => own.grantUpload("ada", 11))).toMatchObject({
      code: "TOO_MANY_REQUESTS",
      message: "These photos are 11 B. Your daily upload limit of 21.5 GB is down to 10 B until 00:00 UTC.",
      headers: { "retry-after": String(12 * 3600) },
    });
    expect(await at(noon, (own) => own.grantUpload("ada", 10))).toBeNull();
    expect(await at(noon, (own) => own.grantUpload("eve", 11))).toBeNull();
    expect(await at(noon + 12 * HOUR, (own) => own.grantUpload("ada", LIMIT))).toBeNull();
  });

  test("are counted once for a photo that is declared again, and a refused call leaves no photo behind", async () => {
    const scene = await Scene.withPhotos(0);
    const declare = (names: string[], bytes: number): Promise<unknown> => scene.inside((project) => project.declarePhotos(names.map((name) => photo(name, bytes)), scene.id));
    const used = async (): Promise<number> =>
      runInDurableObject(index, (_own, state) => Number(state.storage.sql.exec("SELECT coalesce(sum(bytes), 0) AS n FROM upload WHERE identity = ?", scene.id).one()["n"]));
    await declare(["a.jpg", "b.jpg"], 1000);
    await declare(["a.jpg", "b.jpg"], 1000);
    expect(await used()).toBe(2000);
    await runInDurableObject(index, (_own, state) => void state.storage.sql.exec("UPDATE upload SET bytes = ? WHERE identity = ?", LIMIT, scene.id));
    expect(await declare(["c.jpg"], 1)).toMatchObject({ refused: true, code: "TOO_MANY_REQUESTS" });
    expect((await scene.view()).photos).toEqual({ count: 2, bytes: 2000 });
  });
});

describe("the same Idempotency-Key", () => {
  test("answers the same photos, also when they have arrived, and refuses another body", async () => {
    const scene = await Scene.withPhotos(0);
    const declare = (name: string): ReturnType<Parameters<Parameters<Scene["inside"]>[0]>[0]["declarePhotos"]> =>
      scene.inside((project) => project.declarePhotos([photo(name)], "caller", "key"));
    const names = async (answer: ReturnType<typeof declare>): Promise<string[]> => {
      const uploads = await answer;
      return "refused" in uploads ? [uploads.code] : uploads.map(({ as }) => as);
    };
    expect(await names(declare("a.jpg"))).toEqual(["0001.jpg"]);
    await env.BUCKET.put(keys.photo(scene.id, "0001.jpg"), new Uint8Array([0xff, 0xd8, 0xff, 0xe0]));
    expect((await scene.view()).state).toBe("ready");
    expect(await names(declare("a.jpg"))).toEqual(["0001.jpg"]);
    expect(await names(declare("b.jpg"))).toEqual(["CONFLICT"]);
    expect((await scene.view()).photos.count).toBe(1);
  });

  test("of a past attempt starts nothing, and with another preset is refused", async () => {
    const scene = await Scene.withPhotos();
    const start = async (preset: "preview" | "high" | null, key: string): Promise<string> => {
      const answer = await scene.inside((project) => project.start(preset, key));
      return "refused" in answer ? answer.code : `${answer.state} ${answer.attempt}`;
    };
    expect(await start("preview", "first")).toBe("queued 1");
    await scene.inside((project) => project.cancel());
    expect(await start(null, "second")).toBe("queued 2");
    await scene.inside((project) => project.cancel());
    expect([await start("preview", "first"), await start(null, "second"), await start("high", "first")]).toEqual(["cancelled 2", "cancelled 2", "CONFLICT"]);
    expect(runpod.runs).toHaveLength(2);
  });

  test("creates no second project after a rename, and none after a deletion", async () => {
    const scene = await Scene.withPhotos(0);
    await scene.inside((project) => project.rename("Kettle"));
    expect(await scene.inside((project) => project.create(scene.id, "Teapot"))).toMatchObject({ id: scene.id, name: "Kettle" });
    expect(await scene.inside((project) => project.create(scene.id, "Kettle"))).toMatchObject({ code: "CONFLICT" });
    await scene.inside((project) => project.declarePhotos([photo("a.jpg")], "caller"));
    await scene.inside((project) => project.remove());
    expect(await scene.inside((project) => project.create(scene.id, "Teapot"))).toMatchObject({ code: "CONFLICT" });
  });

  test("shows a link again, but never brings back one that was revoked", async () => {
    const scene = await Scene.withPhotos(0);
    const share = (expiresInS: number | null): ReturnType<Parameters<Parameters<Scene["inside"]>[0]>[0]["createShare"]> => scene.inside((project) => project.createShare({ expiresInS, embed: null }, "key"));
    const made = await share(3600);
    expect(await share(3600)).toEqual(made);
    expect(await share(null)).toMatchObject({ code: "CONFLICT" });
    if ("refused" in made) throw new Error(made.message);
    await scene.inside((project) => project.deleteShare(made.id));
    expect(await share(3600)).toMatchObject({ code: "CONFLICT", message: expect.stringContaining("revoked") });
    expect(await scene.inside((project) => project.openShare(made.token.split(".")[1] ?? ""))).toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("the photos of a job", () => {
  test("cannot change from the moment of the start", async () => {
    const scene = await Scene.withPhotos();
    const [started, declared, deleted] = await scene.inside((project) =>
      Promise.all([project.start("preview"), Promise.resolve().then(() => project.declarePhotos([photo("late.jpg")], "caller")), Promise.resolve().then(() => project.deletePhoto("0001.jpg"))]),
    );
    expect([started, declared, deleted].map((answer) => (answer !== null && "refused" in answer ? answer.code : "done"))).toEqual(["done", "CONFLICT", "CONFLICT"]);
    expect(runpod.runs[0]?.input.photos).toHaveLength(5);
  });

  test("are all checked, also a photo that arrived after the last check", async () => {
    const scene = await Scene.withPhotos();
    await scene.inside((project) => project.declarePhotos([photo("notes.txt")], "caller"));
    await env.BUCKET.put(keys.photo(scene.id, "0006.jpg"), "text");
    expect(await scene.inside((project) => project.start("preview"))).toMatchObject({ code: "CONFLICT", message: expect.stringContaining("not JPEG") });
  });
});

describe("the hourly sweep", () => {
  test("deletes projects that were abandoned for a week, and none that had a job or changed since", async () => {
    const [forgotten, worked, fresh] = [await Scene.withPhotos(), await Scene.withPhotos(), await Scene.withPhotos()];
    await worked.start();
    await worked.inside((project) => project.cancel());
    runpod.now += ABANDONED_AFTER_MS + HOUR;
    await fresh.inside((project) => project.rename("still wanted"));
    // A row of a project that is not there must not stop the others.
    const ghost = { ...(await forgotten.view()), id: "p_gh0st00000000000", created_at: new Date(0).toISOString() };
    await index.record(ghost, 1, null);
    expect(await sweepAbandoned(env as unknown as Env, runpod.now)).toBeGreaterThanOrEqual(1);
    const ids = await listed();
    expect([forgotten.id, worked.id, fresh.id, ghost.id].map((id) => ids.includes(id))).toEqual([false, true, true, false]);
    expect((await env.BUCKET.list({ prefix: keys.project(forgotten.id) })).objects).toEqual([]);
    expect(await sweepAbandoned(env as unknown as Env, runpod.now)).toBe(0);
  });
});

test("a project that an older version has stored gains the columns it lacks", async () => {
  const scene = await Scene.withPhotos(0);
  await runInDurableObject(scene.stub, (_project, state) => void state.storage.sql.exec("ALTER TABLE project DROP COLUMN uploads_until"));
  await scene.evict();
  expect((await scene.view()).id).toBe(scene.id);
  expect(await scene.inside((project) => project.declarePhotos([photo("a.jpg")], "caller"))).toHaveLength(1);
});
