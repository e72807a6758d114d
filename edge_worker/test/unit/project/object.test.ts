// One project's object through hours of trouble under a clock of our own: every fault of the job API, one job at most.
// Runs the real object in workerd with real storage, bucket and alarms; only RunPod's answers are scripted.
import { env, runInDurableObject } from "cloudflare:test";
import * as fc from "fast-check";
import { describe, expect, test, vi } from "vitest";

import configuration from "../../../../Pulumi.yaml?raw";
import type { Project } from "../../../shared/contracts/project.ts";
import { keys } from "../../../src/clients/bucket-keys.ts";
import { attemptTimes } from "../../../src/project/job/attempt.ts";
import { MINUTE, Scene, listed, runpod, type Reply } from "../support/scene.ts";

/** Random histories of the object, each of some hours. */
const HISTORIES = 15;
const DEADLINE = attemptTimes(3600).deadlineS * 1000;

describe("a photo stored with a Content-Encoding", () => {
  test.each([
    { encoding: "br", starts: false },
    { encoding: "gzip", starts: false },
    { encoding: "identity", starts: true },
  ])("$encoding: starts a job: $starts", async ({ encoding, starts }) => {
    const scene = new Scene();
    await scene.inside((project) => project.create(scene.id, "Teapot"));
    const photos = Array.from({ length: 5 }, (_, index) => ({ name: `${index}.jpg`, type: "image/jpeg" as const, bytes: 4 }));
    await scene.inside((project) => project.declarePhotos(photos, "caller"));
    for (const index of photos.keys()) {
      const httpMetadata = index === 2 ? { contentEncoding: encoding } : {};
      await env.BUCKET.put(keys.photo(scene.id, `000${index + 1}.jpg`), new Uint8Array([0xff, 0xd8, 0xff, 0xe0]), { httpMetadata });
    }
    const answer = await scene.inside((project) => project.start("preview"));
    expect("refused" in answer ? answer.message : "started").toContain(starts ? "started" : '1 of 5 files are not JPEG, PNG, WebP, HEIC or AVIF photos, nor MP4 or MOV clips: "2.jpg" (0003.jpg)');
  });
});

describe("a job of two hours", () => {
  test("finishes although every webhook is lost, with at most two status calls a minute", async () => {
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

  test("survives answers of 429 and 500 and unreadable answers", async () => {
    const scene = await Scene.withPhotos();
    const answers: Reply[] = [{ status: 429 }, { status: 500 }, { status: 200, body: { nonsense: true } }, { status: 200, body: { status: "EXPLODED" } }];
    runpod.status = (minutes) => (minutes < 20 ? (answers[runpod.asked % answers.length] ?? "unreachable") : { status: 200, body: { status: "COMPLETED", output: scene.report() } });
    await scene.start();
    await scene.pass(25 * MINUTE);
    expect((await scene.view()).state).toBe("done");
  });

  test("takes its result from the bucket when RunPod has no record of the job", async () => {
    const scene = await Scene.withPhotos();
    runpod.status = (minutes) => (minutes < 40 ? "unreachable" : { status: 404 });
    await scene.start();
    await env.BUCKET.put(keys.output(scene.id, 1, "report.json"), JSON.stringify(scene.report()));
    await scene.pass(45 * MINUTE);
    expect(await scene.view()).toMatchObject({ state: "done", report: { attempt: 1 } });
  });

  test("takes no report from the bucket that is too large for one", async () => {
    const scene = await Scene.withPhotos();
    runpod.status = () => ({ status: 404 });
    await scene.start();
    await env.BUCKET.put(keys.output(scene.id, 1, "report.json"), JSON.stringify(scene.report()) + " ".repeat(5 * 2 ** 20));
    await scene.pass(MINUTE);
    expect(await scene.view()).toMatchObject({ state: "failed", error: { code: "UPSTREAM" } });
  });

  test("reads no answer of RunPod to its end that is larger than one can be", async () => {
    const scene = await Scene.withPhotos();
    await scene.start();
    let sent = 0;
    const endless = new ReadableStream({
      pull: (controller) => {
        sent += 2 ** 20;
        controller.enqueue(new Uint8Array(2 ** 20).fill(0x20));
      },
    });
    vi.spyOn(globalThis, "fetch").mockResolvedValueOnce(new Response(endless));
    await scene.webhook();
    expect((await scene.view()).state).toBe("queued");
    expect(sent).toBeLessThan(32 * 2 ** 20);
  });

  test("fails when RunPod has no record of it and it left no report, or another job's", async () => {
    for (const left of [null, "another"]) {
      const scene = await Scene.withPhotos();
      runpod.status = () => ({ status: 404 });
      await scene.start();
      if (left !== null) await env.BUCKET.put(keys.output(scene.id, 1, "report.json"), JSON.stringify({ ...scene.report(), attempt: 7 }));
      await scene.pass(MINUTE);
      expect(await scene.view()).toMatchObject({ state: "failed", error: { code: "UPSTREAM" } });
    }
  });

  test("that never ends fails at its deadline, and its cancel is repeated until RunPod accepts it", async () => {
    const logged = vi.spyOn(console, "warn").mockImplementation(() => undefined);
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
    expect(logged).toHaveBeenCalledWith(expect.stringContaining("TIME_LIMIT; to allow more time, set jobSecondsMax"));
    expect(configuration).toContain("\n  jobSecondsMax:\n");
  });
});

describe("a job whose endpoint a deployment replaced", () => {
  test("is followed to its end at the endpoint that took it", async () => {
    const scene = await Scene.withPhotos();
    runpod.status = (minutes) => ({ status: 200, body: minutes < 30 ? { status: "IN_PROGRESS" } : { status: "COMPLETED", output: scene.report() } });
    await scene.start();
    await scene.tookEndpoint("replaced");
    await scene.pass(20 * MINUTE);
    expect((await scene.view()).state).toBe("running");
    await scene.pass(20 * MINUTE);
    expect((await scene.view()).state).toBe("done");
  });

  test("is cancelled there", async () => {
    const scene = await Scene.withPhotos();
    await scene.start();
    await scene.tookEndpoint("replaced");
    await scene.inside((project) => project.cancel());
    expect(runpod.cancelled).toEqual(["job-1"]);
    expect(await scene.alarmAt()).toBeNull();
  });

  test.each([404, 401])("fails once that endpoint answers %d, and its retry runs at the deployed one", async (status) => {
    const scene = await Scene.withPhotos();
    runpod.status = () => ({ status: 200, body: { status: "IN_PROGRESS" } });
    await scene.start();
    await scene.tookEndpoint("replaced");
    runpod.gone.set("replaced", status);
    await scene.pass(MINUTE);
    expect(await scene.view()).toMatchObject({ state: "failed", error: { code: "UPSTREAM", hint: "Start it again." } });
    await scene.start();
    await scene.pass(MINUTE);
    expect(await scene.view()).toMatchObject({ state: "running", attempt: 2 });
    expect(runpod.runs.map(({ endpoint }) => endpoint)).toEqual(["replaced", "ep123"]);
  });

  test("is not given up while the deployed endpoint cannot be asked", async () => {
    const scene = await Scene.withPhotos();
    await scene.start();
    await scene.tookEndpoint("replaced");
    runpod.gone.set("replaced", 401).set("ep123", 401);
    await scene.pass(10 * MINUTE);
    expect((await scene.view()).state).toBe("queued");
    await scene.inside((project) => project.cancel());
    expect(await scene.alarmAt()).not.toBeNull();
  });

  test("of an attempt whose id came late is cancelled there, too", async () => {
    const scene = await Scene.withPhotos();
    runpod.run = () => "takes effect, answer lost";
    await scene.start();
    await scene.tookEndpoint("replaced");
    await scene.inside((project) => project.cancel());
    runpod.run = () => ({ status: 200 });
    await scene.start();
    runpod.status = () => ({ status: 200, body: { status: "IN_PROGRESS", output: { project_id: scene.id, attempt: 1, seq: 1, stage: "train", fraction: 0.5, message: "" } } });
    await scene.progress(1, 0.5, 1, "job-1");
    expect(runpod.cancelled).toEqual(["job-1"]);
    expect(runpod.runs.map(({ endpoint }) => endpoint)).toEqual(["replaced", "ep123"]);
  });
});

/** US dollars that the account has settled. */
async function booked(): Promise<number> {
  return (await env.INDEX.get(env.INDEX.idFromName("account")).figures()).usdMonth;
}

describe("two hours with every fault", () => {
  test("without an id, with RunPod unreachable and the webhook lost, the worker's own report ends the job once", async () => {
    const before = await booked();
    const scene = await Scene.withPhotos();
    runpod.run = () => "takes effect, answer lost";
    runpod.status = () => "unreachable";
    await scene.start();
    await scene.pass(3 * MINUTE);
    expect(await scene.progress(1, 0.1)).toBe("ok");
    await scene.evict();
    await scene.pass(40 * MINUTE);
    expect(await scene.view()).toMatchObject({ state: "running", progress: { fraction: 0.1 } });
    // A stolen address, and somebody else's job.
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: { ...scene.report(), project_id: "p_0000000000000000" } } });
    expect(await scene.webhook("job-of-somebody")).toBe(true);
    runpod.status = () => "unreachable";
    expect(await scene.progress(2, 0.9)).toBe("ok");
    // The same message again, and an older one.
    expect(await scene.progress(2, 0.9)).toBe("ok");
    expect(await scene.progress(1, 0.2)).toBe("ok");
    await scene.pass(60 * MINUTE);
    expect(await scene.view()).toMatchObject({ state: "running", progress: { fraction: 0.9 } });
    await scene.leaveReport();
    await scene.pass(MINUTE);
    expect(await scene.view()).toMatchObject({ state: "done", report: { price: { usd: 0.5 } } });
    // The webhook comes after all, three times, when RunPod has forgotten the job.
    runpod.status = () => ({ status: 404 });
    for (let times = 0; times < 3; times += 1) expect(await scene.webhook("job-1")).toBe(true);
    await scene.pass(30 * MINUTE);
    expect((await scene.view()).state).toBe("done");
    expect([runpod.runs.length, runpod.cancelled, await scene.alarmAt()]).toEqual([1, [], null]);
    expect(await booked()).toBeCloseTo(before + 0.5, 6);
  });

  test("a job that vanishes in mid-run fails and is cancelled for safety; its retry is the only other job and charge", async () => {
    const before = await booked();
    const scene = await Scene.withPhotos();
    const answers: Reply[] = ["unreachable", { status: 429 }, { status: 500 }, { status: 200, body: { status: "?" } }];
    runpod.status = (minutes) =>
      minutes < 30 ? { status: 200, body: { status: "IN_QUEUE" } } : minutes < 40 ? (answers[runpod.asked % 4] ?? "unreachable") : minutes < 60 ? { status: 200, body: { status: "IN_PROGRESS" } } : { status: 404 };
    await scene.start();
    await scene.pass(50 * MINUTE);
    expect((await scene.view()).state).toBe("running");
    await scene.pass(11 * MINUTE);
    expect(await scene.view()).toMatchObject({ state: "failed", error: { code: "UPSTREAM" } });
    expect(runpod.cancelled).toEqual(["job-1"]);
    const lost = await booked();
    expect(lost).toBeGreaterThan(before);
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report(2) } });
    await scene.inside((project) => project.start(null));
    expect(await scene.webhook("job-1", 1)).toBe(false);
    expect(await scene.progress(9, 0.9, 1)).toBe("ended");
    await scene.pass(MINUTE);
    expect(await scene.view()).toMatchObject({ state: "done", attempt: 2 });
    expect(runpod.runs.map(({ id }) => id)).toEqual(["job-1", "job-2"]);
    expect(await booked()).toBeCloseTo(lost + 0.5, 6);
  });

  test.each(["unreachable", "IN_PROGRESS"])("a result in the bucket at the deadline counts although RunPod's answer is %s", async (said) => {
    const scene = await Scene.withPhotos();
    runpod.status = () => (said === "unreachable" ? said : { status: 200, body: { status: said } });
    await scene.start();
    await scene.pass(DEADLINE - MINUTE);
    await scene.leaveReport();
    await scene.pass(2 * MINUTE);
    expect((await scene.view()).state).toBe("done");
  });

  const step = fc.oneof(
    fc.record({ do: fc.constantFrom("start" as const, "cancel" as const, "evict" as const, "webhook" as const, "progress" as const, "report" as const) }),
    fc.record({ do: fc.constant("pass" as const), minutes: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ do: fc.constant("run" as const), reply: fc.constantFrom<Reply>({ status: 200 }, { status: 429 }, "unreachable", "takes effect, answer lost") }),
    fc.record({ do: fc.constant("status" as const), says: fc.constantFrom("IN_QUEUE", "IN_PROGRESS", "COMPLETED", "FAILED", "CANCELLED", "unreachable", "404", "500") }),
  );

  test("any history has one RunPod job per attempt and ends by the deadline, and no end is undone", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
        const scene = await Scene.withPhotos();
        const mine = (): number[] => runpod.runs.filter(({ input }) => input.project_id === scene.id).map(({ input }) => input.attempt);
        let ended: Project | null = null;
        let attempt = 0;
        for (const one of [{ do: "start" as const }, ...steps]) {
          if (one.do === "start") {
            const answer = await scene.inside((project) => project.start(attempt === 0 ? "preview" : null));
            if (!("refused" in answer)) [ended, attempt] = [null, answer.attempt];
          } else if (one.do === "cancel") await scene.inside((project) => project.cancel());
          else if (one.do === "evict") await scene.evict();
          // An attempt that RunPod refused has no worker to be heard from.
          else if (one.do === "webhook" && mine().includes(attempt)) await scene.webhook(`job-${runpod.runs.length}`, attempt);
          else if (one.do === "progress" && mine().includes(attempt)) await scene.progress(runpod.asked, 0.5, attempt);
          else if (one.do === "report") await scene.leaveReport(attempt);
          else if (one.do === "pass") await scene.pass(one.minutes * MINUTE);
          else if (one.do === "run") runpod.run = () => one.reply;
          else if (one.do === "status") {
            const { says } = one;
            runpod.status = () =>
              says === "unreachable" ? says : /^\d+$/.test(says) ? { status: Number(says) } : { status: 200, body: { status: says, output: scene.report(attempt) } };
          }
          const view = await scene.view();
          if (ended !== null) expect({ ...view, updated_at: "" }).toEqual({ ...ended, updated_at: "" });
          if (["done", "failed", "cancelled"].includes(view.state)) ended = view;
          expect(new Set(mine()).size).toBe(mine().length);
        }
        await scene.pass(DEADLINE + MINUTE);
        expect(["done", "failed", "cancelled"]).toContain((await scene.view()).state);
      }),
      { numRuns: HISTORIES, seed: 8 },
    );
  });
});

describe("a submission", () => {
  test("whose answer is lost is recognised by the job's own progress and ended by its webhook", async () => {
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
    { status: 401, hint: "contact whoever runs this service", log: "its API key is not accepted" },
    { status: 404, hint: "contact whoever runs this service", log: "check that the endpoint exists" },
  ])("that RunPod rejects with $status fails at once, with a next step for people and another in the log for operators", async ({ status, hint, log }) => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const scene = await Scene.withPhotos();
    runpod.run = () => ({ status });
    const view = await scene.start();
    expect(view).toMatchObject({ state: "failed", error: { code: "UPSTREAM", hint: expect.stringContaining(hint) } });
    expect(view.error?.hint).not.toContain("pulumi");
    expect(logged).toHaveBeenCalledWith(expect.stringContaining(log));
  });

  test.each([429, 503])("that RunPod is too busy for (%d) is repeated with growing pauses, and says when", async (status) => {
    const scene = await Scene.withPhotos();
    runpod.run = () => ({ status });
    const view = await scene.start();
    expect(view).toMatchObject({ state: "queued", error: null, notice: { message: "RunPod is busy. The next try is in 5 s." } });
    expect(Date.parse(view.notice?.until ?? "")).toBe(runpod.now + 5_000);
    await scene.pass(6_000);
    expect((await scene.view()).notice?.message).toBe("RunPod is busy. The next try is in 10 s.");
    await scene.evict();
    await scene.pass(2 * MINUTE);
    expect((await scene.view()).notice?.message).toBe("RunPod is busy. The next try is in 60 s.");
    expect(runpod.runs).toHaveLength(0);
    runpod.run = () => ({ status: 200 });
    await scene.pass(MINUTE);
    expect(await scene.view()).toMatchObject({ state: "queued", notice: null, attempt: 1 });
    expect(runpod.runs.map(({ input }) => [input.attempt, input.photos.length])).toEqual([[1, 5]]);
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
    expect(await scene.webhook()).toBe(true);
    expect((await scene.view()).state).toBe("done");
  });

  test("that RunPod is too busy for ends after half an hour, and can be cancelled before", async () => {
    for (const isCancelled of [false, true]) {
      const scene = await Scene.withPhotos();
      runpod.run = () => ({ status: 429 });
      await scene.start();
      await scene.pass(20 * MINUTE);
      expect((await scene.view()).state).toBe("queued");
      if (isCancelled) await scene.inside((project) => project.cancel());
      await scene.pass(12 * MINUTE);
      const ended = isCancelled ? { state: "cancelled" } : { state: "failed", error: { code: "UPSTREAM", message: "RunPod was too busy to take the job for 30 minutes." } };
      expect(await scene.view()).toMatchObject({ ...ended, notice: null });
      expect([runpod.runs.length, await scene.alarmAt()]).toEqual([0, null]);
    }
  });

  test("whose repetition gets no answer is not repeated again", async () => {
    const scene = await Scene.withPhotos();
    runpod.run = () => ({ status: 503 });
    await scene.start();
    let calls = 0;
    runpod.run = () => {
      calls += 1;
      return "unreachable";
    };
    await scene.pass(14 * MINUTE);
    expect([calls, (await scene.view()).state]).toEqual([1, "queued"]);
    await scene.pass(3 * MINUTE);
    expect((await scene.view()).state).toBe("failed");
  });

  test.each(["unreachable" as const, { status: 500 }])("whose outcome is unknown (%j) says so, and until when", async (reply) => {
    const scene = await Scene.withPhotos();
    runpod.run = () => reply;
    const { notice } = await scene.start();
    expect(notice?.message).toBe("RunPod did not confirm the start, so the job may or may not run.");
    const until = notice?.until ?? "";
    expect(notice?.hint).toContain(`by ${until.slice(11, 16)} UTC`);
    await scene.pass(Date.parse(until) - runpod.now + MINUTE);
    expect(await scene.view()).toMatchObject({ state: "failed", notice: null });
  });

  test("that no worker takes until RunPod drops it ends for that reason, and not because RunPod forgot it", async () => {
    const { ttlS } = attemptTimes(3600);
    for (const dropped of [{ status: 404 }, { status: 200, body: { status: "IN_QUEUE" } }]) {
      const scene = await Scene.withPhotos();
      const began = runpod.now;
      runpod.status = () => (runpod.now - began < ttlS * 1000 ? { status: 200, body: { status: "IN_QUEUE" } } : dropped);
      await scene.start();
      await scene.pass(DEADLINE + MINUTE);
      expect(await scene.view()).toMatchObject({ state: "failed", error: { code: "UPSTREAM", message: "No GPU worker took the job in time." } });
    }
  });

  test("is not found by a webhook that names somebody else's job", async () => {
    const scene = await Scene.withPhotos();
    runpod.run = () => "takes effect, answer lost";
    await scene.start();
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: { ...scene.report(), project_id: "p_0000000000000000" } } });
    expect(await scene.webhook("job-of-somebody")).toBe(true);
    expect((await scene.view()).state).toBe("queued");
  });

  test("by two browsers at once is one job", async () => {
    const scene = await Scene.withPhotos();
    const [first, second] = await scene.inside((project) => Promise.all([project.start("preview"), project.start("preview")]));
    expect([first, second].map((answer) => ("refused" in answer ? answer.code : answer.state))).toEqual(["queued", "CONFLICT"]);
    expect(runpod.runs).toHaveLength(1);
  });

  test("survives the eviction of the object", async () => {
    const scene = await Scene.withPhotos();
    await scene.start();
    await scene.evict();
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
    await scene.pass(MINUTE);
    expect((await scene.view()).state).toBe("done");
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

  test("that comes three times costs one status call", async () => {
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

  test("that is ahead of /status is followed up within seconds", async () => {
    const scene = await Scene.withPhotos();
    await scene.start();
    runpod.status = () => ({ status: 200, body: { status: "IN_PROGRESS" } });
    await scene.webhook();
    expect((await scene.view()).state).toBe("running");
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
    await scene.pass(3_000);
    expect((await scene.view()).state).toBe("done");
  });

  test("of a finished attempt is refused", async () => {
    const scene = await Scene.withPhotos();
    await scene.start();
    await scene.inside((project) => project.cancel());
    await scene.start();
    expect(await scene.webhook()).toBe(false);
  });
});

describe("a job whose id was lost", () => {
  const lost = async (): Promise<Scene> => {
    const scene = await Scene.withPhotos();
    runpod.run = () => "takes effect, answer lost";
    await scene.start();
    return scene;
  };
  const inProgress = (scene: Scene, attempt: number): Reply => ({
    status: 200,
    body: { status: "IN_PROGRESS", output: { project_id: scene.id, attempt, seq: 1, stage: "train", fraction: 0.1, message: "" } },
  });

  test("gets it from its worker's progress, and is cancelled by it", async () => {
    const scene = await lost();
    expect(await scene.progress(1, 0.1, 1, "job-1")).toBe("ok");
    await scene.inside((project) => project.cancel());
    expect(runpod.cancelled).toEqual(["job-1"]);
    expect(await scene.alarmAt()).toBeNull();
  });

  test("and was cancelled before its worker's first progress is stopped by that, at RunPod and by the answer", async () => {
    const scene = await lost();
    await scene.inside((project) => project.cancel());
    expect(runpod.cancelled).toEqual([]);
    expect(await scene.progress(1, 0.1, 1, "job-1")).toBe("ended");
    expect(runpod.cancelled).toEqual(["job-1"]);
    expect((await scene.view()).state).toBe("cancelled");
  });

  test("is found by RunPod's own word where its worker's clock is wrong, and can be cancelled", async () => {
    const scene = await lost();
    runpod.status = () => inProgress(scene, 1);
    expect(await scene.progress(1, 0.1, 1, "job-1", 3600)).toMatchObject({ rejected: expect.any(String) });
    await scene.inside((project) => project.cancel());
    expect(runpod.cancelled).toEqual(["job-1"]);
  });

  test("and was cancelled is stopped although its worker's clock is wrong", async () => {
    const scene = await lost();
    await scene.inside((project) => project.cancel());
    runpod.status = () => inProgress(scene, 1);
    expect(await scene.progress(1, 0.1, 1, "job-1", -3600)).toBe("ended");
    expect(runpod.cancelled).toEqual(["job-1"]);
  });

  test("of an older worker without the field is stopped by the answer", async () => {
    const scene = await lost();
    expect(await scene.progress(1, 0.1)).toBe("ok");
    await scene.inside((project) => project.cancel());
    expect(await scene.progress(2, 0.2)).toBe("ended");
  });

  test("is cancelled after the next attempt has started, but only if RunPod confirms whose it is", async () => {
    const scene = await lost();
    await scene.inside((project) => project.cancel());
    runpod.run = () => ({ status: 200 });
    await scene.start();
    runpod.status = () => inProgress(scene, 2);
    expect(await scene.progress(1, 0.1, 1, "job-2")).toBe("ended");
    expect(runpod.cancelled).toEqual([]);
    runpod.status = () => inProgress(scene, 1);
    expect(await scene.progress(2, 0.2, 1, "job-1")).toBe("ended");
    expect(runpod.cancelled).toEqual(["job-1"]);
    expect(await scene.view()).toMatchObject({ state: "queued", attempt: 2 });
  });

  test.each([1, 2])("is cancelled by a late webhook that names it, in attempt %d", async (current) => {
    const scene = await lost();
    await scene.inside((project) => project.cancel());
    runpod.run = () => ({ status: 200 });
    if (current === 2) await scene.start();
    runpod.status = () => inProgress(scene, 1);
    expect(await scene.webhook("job-1", 1)).toBe(current === 1);
    expect(runpod.cancelled).toEqual(["job-1"]);
  });

  test("and whose project is deleted is cancelled, too", async () => {
    const scene = await lost();
    await scene.inside((project) => project.remove());
    expect(await scene.progress(1, 0.1, 1, "job-1")).toBe("ended");
    expect(runpod.cancelled).toEqual(["job-1"]);
    await scene.pass(DEADLINE + MINUTE);
    expect(await scene.progress(2, 0.2, 1, "job-1")).toBe("ended");
  });

  test("costs until it stopped", async () => {
    const before = await booked();
    const scene = await lost();
    await scene.progress(1, 0.1);
    runpod.now += 100_000;
    await scene.inside((project) => project.cancel());
    expect(await booked()).toBeCloseTo(before + 100 * 0.00031, 4);
    runpod.now += 50_000;
    for (const seq of [2, 3]) expect(await scene.progress(seq, 0.2)).toBe("ended");
    expect(await booked()).toBeCloseTo(before + 150 * 0.00031, 4);
  });

  test("costs until RunPod accepted its cancel", async () => {
    const before = await booked();
    const scene = await lost();
    await scene.progress(1, 0.1, 1, "job-1");
    runpod.now += 100_000;
    runpod.cancel = () => "unreachable";
    await scene.inside((project) => project.cancel());
    runpod.now += 200_000;
    runpod.cancel = () => ({ status: 200 });
    await scene.pass(MINUTE);
    const ranS = (await booked() - before) / 0.00031;
    expect(ranS).toBeGreaterThan(299);
    expect(ranS).toBeLessThan(320);
  });
});

describe("money", () => {
  test("is booked once per attempt, however often the end is reported", async () => {
    const before = await booked();
    const scene = await Scene.withPhotos();
    await scene.start();
    runpod.status = () => ({ status: 200, body: { status: "COMPLETED", output: scene.report() } });
    await scene.webhook();
    await scene.webhook();
    await scene.inside((project) => project.rename("Kettle"));
    expect(await booked()).toBeCloseTo(before + 0.5, 6);
  });

  test("is booked by time for a job that failed while it ran", async () => {
    const before = await booked();
    const scene = await Scene.withPhotos();
    await scene.start();
    runpod.status = () => ({ status: 200, body: { status: "IN_PROGRESS" } });
    await scene.pass(5_000);
    runpod.now += 100_000;
    runpod.status = () => ({ status: 200, body: { status: "FAILED", error: "CUDA error" } });
    await scene.webhook();
    expect((await scene.view()).error?.message).toBe("The worker failed without giving a reason.");
    expect(await booked()).toBeCloseTo(before + 100 * 0.00031, 3);
  });
});

describe("a deletion", () => {
  test("that is interrupted before its bytes are gone continues by itself", async () => {
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

  test("of a project without a job removes its bytes at once, and later ones until the browser's addresses expire", async () => {
    const scene = await Scene.withPhotos();
    await scene.inside((project) => project.remove());
    expect(await left(scene)).toEqual([]);
    await env.BUCKET.put(keys.photo(scene.id, "0005.jpg"), "late");
    await scene.evict();
    await scene.pass(61 * MINUTE);
    expect(await left(scene)).toEqual([]);
    expect(await scene.alarmAt()).toBeNull();
  });

  test("of a project whose addresses have expired leaves nothing at once", async () => {
    const scene = await Scene.withPhotos();
    runpod.now += 61 * MINUTE;
    await scene.inside((project) => project.remove());
    expect([await left(scene), await scene.alarmAt()]).toEqual([[], null]);
  });

  test.each(["list", "delete"] as const)("that fails at the bucket's %s is finished later, also after an eviction", async (call) => {
    const scene = await Scene.withPhotos();
    const failing = vi.spyOn(Object.getPrototypeOf(env.BUCKET) as R2Bucket, call).mockRejectedValue(new Error("R2 is down"));
    expect(await scene.inside((project) => project.remove())).toBeNull();
    expect(failing).toHaveBeenCalled();
    failing.mockRestore();
    expect(await listed()).not.toContain(scene.id);
    expect(await left(scene)).toHaveLength(5);
    await scene.evict();
    await scene.pass(2 * MINUTE);
    expect(await left(scene)).toEqual([]);
  });

  test("twice at once is one deletion", async () => {
    const scene = await Scene.withPhotos();
    const [first, second] = await scene.inside((project) => Promise.all([project.remove(), project.remove()]));
    expect([first, second]).toEqual([null, expect.objectContaining({ code: "NOT_FOUND" })]);
  });
});

test("a project whose photos cannot be listed is shown as it was known", async () => {
  const scene = await Scene.withPhotos();
  await scene.inside((project) => project.declarePhotos([{ name: "last.jpg", type: "image/jpeg", bytes: 4 }], "caller"));
  await env.BUCKET.put(keys.photo(scene.id, "0006.jpg"), new Uint8Array([0xff, 0xd8, 0xff, 0xe0]));
  const failing = vi.spyOn(Object.getPrototypeOf(env.BUCKET) as R2Bucket, "list").mockRejectedValue(new Error("R2 is down"));
  expect(await scene.view()).toMatchObject({ state: "uploading", photos: { count: 6 } });
  expect(failing).toHaveBeenCalled();
  failing.mockRestore();
  expect(await scene.view()).toMatchObject({ state: "ready" });
});

async function left(scene: Scene): Promise<string[]> {
  return (await env.BUCKET.list({ prefix: keys.project(scene.id) })).objects.map(({ key }) => key);
}
