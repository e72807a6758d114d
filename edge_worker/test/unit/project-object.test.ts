// One project's object through hours of trouble under a clock of our own: every fault of the job API, one job at most.
// Runs the real object in workerd with real storage, bucket and alarms; only RunPod's answers are scripted.
import { env, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { attemptTimes } from "../../src/attempt.ts";
import type { Grant } from "../../src/capability.ts";
import { randomId } from "../../src/crypto.ts";
import { keys } from "../../src/job-input.ts";
import type { Project } from "../../src/project.ts";
import type { ProjectView } from "../../src/project-view.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const T0 = Date.now() + 30 * 24 * HOUR;

// ---- a scripted RunPod behind fetch -------------------------------------------------------------------------------

type Reply = { readonly status: number; readonly body?: unknown } | "unreachable" | "takes effect, answer lost";

class RunPodScript {
  now = T0;
  readonly runs: { readonly id: string; readonly webhook: string; readonly input: { readonly attempt: number; readonly progress: { readonly url: string } } }[] = [];
  readonly cancelled: string[] = [];
  asked = 0;
  run: () => Reply = () => ({ status: 200 });
  /** Runs after a job was queued and before the answer leaves. */
  queued: () => void = () => undefined;
  status: (minutes: number) => Reply = () => ({ status: 200, body: { status: "IN_QUEUE" } });
  cancel: () => Reply = () => ({ status: 200, body: {} });

  async fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const [call = "", id = ""] = new URL(String(input)).pathname.split("/").slice(3);
    if (call === "run") {
      const reply = this.run();
      if (reply === "takes effect, answer lost" || (typeof reply === "object" && reply.status === 200)) {
        const made = { ...(JSON.parse(String(init?.body)) as { webhook: string; input: RunPodScript["runs"][number]["input"] }), id: `job-${this.runs.length + 1}` };
        this.runs.push(made);
        this.queued();
        return this.#answer(reply, { id: made.id, status: "IN_QUEUE" });
      }
      return this.#answer(reply);
    }
    if (call === "status") {
      this.asked += 1;
      return this.#answer(this.status((this.now - T0) / MINUTE));
    }
    const reply = this.cancel();
    if (typeof reply === "object" && reply.status === 200) this.cancelled.push(id);
    return this.#answer(reply);
  }

  #answer(reply: Reply, body?: unknown): Response {
    if (typeof reply === "string") throw new TypeError("connection lost");
    return Response.json(reply.body ?? body ?? {}, { status: reply.status });
  }
}

// ---- a project under the script's clock -----------------------------------------------------------------------------

let runpod: RunPodScript;
beforeEach(() => {
  runpod = new RunPodScript();
  vi.spyOn(globalThis, "fetch").mockImplementation((input, init) => runpod.fetch(input as RequestInfo, init as RequestInit));
});
afterEach(() => {
  vi.restoreAllMocks();
});

class Scene {
  readonly id = randomId("p", 16);
  readonly stub = env.PROJECT.get(env.PROJECT.idFromName(this.id));

  static async withPhotos(count = 5): Promise<Scene> {
    const scene = new Scene();
    await scene.inside((project) => {
      project.clock = () => runpod.now;
    });
    await scene.inside((project) => project.create(scene.id, "Teapot"));
    const photos = Array.from({ length: count }, (_, index) => ({ name: `${index}.jpg`, type: "image/jpeg" as const, bytes: 4 }));
    await scene.inside((project) => project.declarePhotos(photos));
    for (const index of photos.keys()) {
      await env.BUCKET.put(keys.photo(scene.id, `${String(index + 1).padStart(4, "0")}.jpg`), new Uint8Array([0xff, 0xd8, 0xff, 0xe0]));
    }
    await scene.inside((project) => project.sniffPhotos(100));
    return scene;
  }

  inside<R>(work: (project: Project) => R | Promise<R>): Promise<R> {
    return runInDurableObject(this.stub, (instance) => work(instance as unknown as Project));
  }

  async start(): Promise<ProjectView> {
    const answer = await this.inside((project) => project.start("preview"));
    if ("refused" in answer) throw new Error(answer.message);
    return answer;
  }

  async view(): Promise<ProjectView> {
    const view = await this.inside((project) => project.view());
    if ("refused" in view) throw new Error(view.message);
    return view;
  }

  async alarmAt(): Promise<number | null> {
    return runInDurableObject(this.stub, (_instance, state) => state.storage.getAlarm());
  }

  /** Lets the clock run from alarm to alarm, for at most so long; stops when nothing is due any more. */
  async pass(ms: number): Promise<void> {
    const end = runpod.now + ms;
    for (let rings = 0; rings < 5000; rings += 1) {
      const at = await this.alarmAt();
      if (at === null || at > end) break;
      runpod.now = Math.max(runpod.now, at);
      await runDurableObjectAlarm(this.stub);
    }
    runpod.now = end;
  }

  /** What the capability in the first job's webhook address grants. */
  grant(): Grant {
    const [, , , nonce = ""] = (runpod.runs[0]?.webhook.split("/").at(-1) ?? "").split(".");
    return { projectId: this.id, attempt: 1, nonce, expiresAt: runpod.now + HOUR };
  }

  webhook(hintedId: string | null = null): Promise<boolean> {
    const grant = this.grant();
    return this.inside((project) => project.onRunPodHook(grant, hintedId));
  }

  report(attempt = 1): object {
    return {
      version: 1,
      project_id: this.id,
      attempt,
      preset: "preview",
      photos: { given: 5, registered: 5 },
      artifacts: {},
      stages: [{ stage: "train", seconds: 60 }],
      price: { usd: 0.5, billed_s: 100 },
    };
  }
}

const DEADLINE = attemptTimes(3600).deadlineS * 1000;

describe("a job of two hours", () => {
  test("ends done although every webhook is lost, and RunPod is asked no more than twice a minute", async () => {
    const scene = await Scene.withPhotos();
    runpod.status = (minutes) =>
      minutes < 60
        ? { status: 200, body: { status: "IN_QUEUE" } }
        : minutes < 119
          ? { status: 200, body: { status: "IN_PROGRESS" } }
          : { status: 200, body: { status: "COMPLETED", output: scene.report() } };
    await scene.start();
    await scene.pass(30 * MINUTE);
    expect((await scene.view()).state).toBe("queued");
    await scene.pass(60 * MINUTE);
    expect((await scene.view()).state).toBe("running");
    await scene.pass(30 * MINUTE);
    expect(await scene.view()).toMatchObject({ state: "done", report: { price: { usd: 0.5 } } });
    expect(runpod.runs).toHaveLength(1);
    // 12 in the first minute, 36 until minute 10, then one a minute; four a minute while it runs in silence.
    expect(runpod.asked).toBeLessThan(12 + 36 + 50 + 4 * 60 + 10);
    expect(await scene.alarmAt()).toBeNull();
  });

  test("survives RunPod being unreachable for most of it", async () => {
    const scene = await Scene.withPhotos();
    runpod.status = (minutes) => (minutes < 90 ? "unreachable" : { status: 200, body: { status: "COMPLETED", output: scene.report() } });
    await scene.start();
    await scene.pass(89 * MINUTE);
    expect((await scene.view()).state).toBe("queued");
    await scene.pass(3 * MINUTE);
    expect((await scene.view()).state).toBe("done");
  });

  test("survives answers of 429 and 500 and answers that cannot be read", async () => {
    const scene = await Scene.withPhotos();
    const answers: Reply[] = [{ status: 429 }, { status: 500 }, { status: 200, body: { nonsense: true } }, { status: 200, body: { status: "EXPLODED" } }];
    runpod.status = (minutes) => (minutes < 20 ? (answers[runpod.asked % answers.length] ?? "unreachable") : { status: 200, body: { status: "COMPLETED", output: scene.report() } });
    await scene.start();
    await scene.pass(25 * MINUTE);
    expect((await scene.view()).state).toBe("done");
  });

  test("takes its result from the bucket when RunPod has forgotten the job", async () => {
    const scene = await Scene.withPhotos();
    runpod.status = (minutes) => (minutes < 40 ? "unreachable" : { status: 404 });
    await scene.start();
    await env.BUCKET.put(keys.output(scene.id, 1, "report.json"), JSON.stringify(scene.report()));
    await scene.pass(45 * MINUTE);
    expect(await scene.view()).toMatchObject({ state: "done", report: { attempt: 1 } });
  });

  test("fails when RunPod has forgotten it and it left no report, or another job's", async () => {
    for (const left of [null, "another"]) {
      const scene = await Scene.withPhotos();
      runpod.status = () => ({ status: 404 });
      await scene.start();
      if (left !== null) await env.BUCKET.put(keys.output(scene.id, 1, "report.json"), JSON.stringify({ ...scene.report(), attempt: 7 }));
      await scene.pass(MINUTE);
      expect(await scene.view()).toMatchObject({ state: "failed", error: { code: "UPSTREAM" } });
    }
  });

  test("that never ends fails at its deadline, and its cancel is repeated until RunPod takes it", async () => {
    const scene = await Scene.withPhotos();
    runpod.status = () => ({ status: 200, body: { status: "IN_PROGRESS" } });
    runpod.cancel = () => "unreachable";
    await scene.start();
    await scene.pass(DEADLINE - MINUTE);
    expect((await scene.view()).state).toBe("running");
    await scene.pass(2 * MINUTE);
    expect(await scene.view()).toMatchObject({ state: "failed", error: { code: "TIME_LIMIT" } });
    await scene.pass(5 * MINUTE);
    expect(runpod.cancelled).toEqual([]);
    runpod.cancel = () => ({ status: 200 });
    await scene.pass(MINUTE);
    expect(runpod.cancelled).toEqual(["job-1"]);
    expect(await scene.alarmAt()).toBeNull();
  });
});

describe("a submission", () => {
  test("whose answer is lost is taken up by the job's own progress and ended by its webhook", async () => {
    const scene = await Scene.withPhotos();
    runpod.run = () => "takes effect, answer lost";
    await scene.start();
    expect((await scene.view()).state).toBe("queued");
    await scene.pass(5 * MINUTE);
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
    expect(await scene.webhook("job-1")).toBe(true);
    expect((await scene.view()).state).toBe("done");
    expect(runpod.runs).toHaveLength(1);
  });

  test("whose answer is lost fails after a quarter of an hour of silence, without a second job", async () => {
    const scene = await Scene.withPhotos();
    runpod.run = () => "unreachable";
    await scene.start();
    await scene.pass(14 * MINUTE);
    expect((await scene.view()).state).toBe("queued");
    await scene.pass(2 * MINUTE);
    expect(await scene.view()).toMatchObject({ state: "failed", error: { code: "UPSTREAM" } });
    expect(runpod.runs).toHaveLength(0);
  });

  test.each([
    { status: 401, hint: "RUNPOD_API_KEY" },
    { status: 404, hint: "pulumi up" },
    { status: 429, hint: "in a minute" },
  ])("that RunPod refuses with $status fails at once and says what to do", async ({ status, hint }) => {
    const scene = await Scene.withPhotos();
    runpod.run = () => ({ status });
    const view = await scene.start();
    expect(view).toMatchObject({ state: "failed", error: { code: "UPSTREAM", hint: expect.stringContaining(hint) } });
  });

  test("is not believed from a webhook that names somebody else's job", async () => {
    const scene = await Scene.withPhotos();
    runpod.run = () => "takes effect, answer lost";
    await scene.start();
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: { ...scene.report(), project_id: "p_0000000000000000" } } });
    expect(await scene.webhook("job-of-somebody")).toBe(true);
    expect((await scene.view()).state).toBe("queued");
  });

  test("that two browsers make at once is one job", async () => {
    const scene = await Scene.withPhotos();
    const [first, second] = await scene.inside((project) => Promise.all([project.start("preview"), project.start("preview")]));
    expect([first, second].map((answer) => ("refused" in answer ? answer.code : answer.state))).toEqual(["queued", "CONFLICT"]);
    expect(runpod.runs).toHaveLength(1);
  });

  test("survives the object being thrown out of memory", async () => {
    const scene = await Scene.withPhotos();
    await scene.start();
    const again = env.PROJECT.get(env.PROJECT.idFromName(scene.id));
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
    await scene.pass(MINUTE);
    expect(await again.view()).toMatchObject({ state: "done" });
  });
});

describe("a webhook", () => {
  test("that comes before RunPod's answer to /run ends the job once the id is known", async () => {
    const scene = await Scene.withPhotos();
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
    const early = await scene.inside(async (project) => {
      let hook: Promise<boolean> | undefined;
      runpod.queued = () => {
        hook = project.onRunPodHook(scene.grant(), "job-1");
      };
      await project.start("preview");
      return hook;
    });
    expect(early).toBe(true);
    expect((await scene.view()).state).toBe("done");
    expect(runpod.runs).toHaveLength(1);
  });

  test("that comes thrice costs one look", async () => {
    const scene = await Scene.withPhotos();
    await scene.start();
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
    expect(await Promise.all([scene.webhook(), scene.webhook(), scene.webhook()])).toEqual([true, true, true]);
    const asked = runpod.asked;
    expect(await scene.webhook()).toBe(true);
    expect(runpod.asked).toBe(asked);
    expect((await scene.view()).state).toBe("done");
  });

  test("that comes while RunPod cannot be asked is followed up within seconds", async () => {
    const scene = await Scene.withPhotos();
    await scene.start();
    await scene.pass(20 * MINUTE);
    runpod.status = () => "unreachable";
    expect(await scene.webhook()).toBe(true);
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
    await scene.pass(3_000);
    expect((await scene.view()).state).toBe("done");
  });

  test("that runs ahead of /status is followed up within seconds", async () => {
    const scene = await Scene.withPhotos();
    await scene.start();
    runpod.status = () => ({ status: 200, body: { status: "IN_PROGRESS" } });
    await scene.webhook();
    expect((await scene.view()).state).toBe("running");
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
    await scene.pass(3_000);
    expect((await scene.view()).state).toBe("done");
  });

  test("of an attempt that is over opens nothing", async () => {
    const scene = await Scene.withPhotos();
    await scene.start();
    await scene.inside((project) => project.cancel());
    await scene.start();
    expect(await scene.webhook()).toBe(false);
  });
});

describe("money", () => {
  test("is booked once per attempt, however often the end is told", async () => {
    const index = env.INDEX.get(env.INDEX.idFromName("account"));
    const before = (await index.figures()).usdMonth;
    const scene = await Scene.withPhotos();
    await scene.start();
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
    await scene.webhook();
    await scene.webhook();
    await scene.inside((project) => project.rename("Kettle"));
    expect((await index.figures()).usdMonth).toBeCloseTo(before + 0.5, 6);
  });

  test("is booked by time for a job that failed while it ran", async () => {
    const index = env.INDEX.get(env.INDEX.idFromName("account"));
    const before = (await index.figures()).usdMonth;
    const scene = await Scene.withPhotos();
    await scene.start();
    runpod.status = () => ({ status: 200, body: { status: "IN_PROGRESS" } });
    await scene.pass(5_000);
    runpod.now += 100_000;
    runpod.status = () => ({ status: 200, body: { status: "FAILED", error: "CUDA error" } });
    await scene.webhook();
    expect((await scene.view()).error?.message).toBe("The worker failed without saying why.");
    expect((await index.figures()).usdMonth).toBeCloseTo(before + 100 * 0.00031, 3);
  });
});

describe("a deletion", () => {
  test("that is cut off before its bytes are gone goes on by itself", async () => {
    const scene = await Scene.withPhotos();
    await scene.start();
    runpod.cancel = () => "unreachable";
    expect(await scene.inside((project) => project.remove())).toBeNull();
    const refused = await scene.inside((project) => project.view());
    expect(refused).toMatchObject({ code: "NOT_FOUND" });
    // The worker, not yet cancelled, still writes.
    await env.BUCKET.put(keys.output(scene.id, 1, "scene.ply"), "late");
    runpod.cancel = () => ({ status: 200 });
    await scene.pass(2 * MINUTE);
    expect(runpod.cancelled).toEqual(["job-1"]);
    await env.BUCKET.put(keys.output(scene.id, 1, "scene.sog"), "later");
    await scene.pass(DEADLINE);
    expect((await env.BUCKET.list({ prefix: keys.project(scene.id) })).objects).toEqual([]);
    expect(await scene.alarmAt()).toBeNull();
    const tables = await runInDurableObject(scene.stub, (_instance, state) =>
      state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray(),
    );
    expect(tables).toEqual([]);
  });

  test("of a project without a job leaves nothing at once", async () => {
    const scene = await Scene.withPhotos();
    await scene.inside((project) => project.remove());
    expect((await env.BUCKET.list({ prefix: keys.project(scene.id) })).objects).toEqual([]);
    expect(await scene.alarmAt()).toBeNull();
  });
});
