// The breaker on histories of RunPod's counts, and on real objects whose workers never start.
import { env, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";

import { CLOSED, observe, type Breaker } from "../../../src/account/breaker.ts";
import type { Index } from "../../../src/account/index-object.ts";
import { MINUTE, Scene, runpod } from "../support/scene.ts";

interface Look {
  /** Seconds since the look before. */
  readonly after: number;
  readonly waiting?: number;
  readonly [worker: string]: number | undefined;
}

function history(looks: readonly Look[], failuresMax = 5): Breaker {
  let now = 1_000_000;
  let breaker = CLOSED;
  for (const { after, waiting = 1, ...workers } of looks) {
    now += after * 1000;
    breaker = observe(breaker, { jobs: { inQueue: waiting }, workers: workers as Record<string, number> }, failuresMax, now);
  }
  return breaker;
}

const repeated = (times: number, ...looks: Look[]): Look[] => Array.from({ length: times }, () => looks).flat();

describe("failed starts in a row", () => {
  test.each([
    { what: "an empty account", looks: [{ after: 5 }], failures: 0 },
    { what: "a worker that becomes unhealthy again and again", looks: repeated(4, { after: 5, initializing: 1 }, { after: 5, unhealthy: 1 }), failures: 4 },
    { what: "two workers that fail at once", looks: [{ after: 5, unhealthy: 2 }], failures: 2 },
    { what: "one unhealthy worker, observed often", looks: repeated(10, { after: 5, unhealthy: 1 }), failures: 1 },
    { what: "an unhealthy worker that stays while a job waits, once a minute", looks: repeated(24, { after: 5, unhealthy: 1 }), failures: 2 },
    { what: "a ready worker that takes no job, once a minute", looks: repeated(37, { after: 5, idle: 1, ready: 1 }), failures: 3 },
    { what: "a ready worker without a job to take", looks: repeated(37, { after: 5, waiting: 0, idle: 1 }), failures: 0 },
    { what: "an hour of starting", looks: repeated(60, { after: 60, initializing: 1 }), failures: 0 },
    { what: "an hour without capacity", looks: repeated(60, { after: 60, throttled: 1 }), failures: 0 },
    { what: "failures before a worker that runs a job", looks: [...repeated(4, { after: 5 }, { after: 5, unhealthy: 1 }), { after: 5, running: 1, unhealthy: 1 }], failures: 0 },
  ])("of $what: $failures", ({ looks, failures }) => {
    expect(history(looks).failures).toBe(failures);
    expect(history(looks).stopped).toBeNull();
  });

  test("stop the service at the limit, which later looks do not undo", () => {
    const five = repeated(5, { after: 5, initializing: 1 }, { after: 5, unhealthy: 1 });
    expect(history(five).stopped).toMatchObject({ reason: "GPU workers failed to start 5 times in a row." });
    expect(history([...five, { after: 5, running: 1 }]).stopped).not.toBeNull();
    expect(history(five, 6).stopped).toBeNull();
    expect(history(repeated(50, { after: 5 }, { after: 5, unhealthy: 1 }), 0).stopped).toBeNull();
  });
});

describe("an endpoint without any worker while jobs wait", () => {
  const none = { after: 5, initializing: 0, idle: 0, throttled: 0 };
  test.each([
    { what: "for less than a minute", looks: repeated(12, none), noWorker: false },
    { what: "for a minute", looks: repeated(13, none), noWorker: true },
    { what: "that was throttled in between", looks: [...repeated(10, none), { after: 5, throttled: 1 }, ...repeated(10, none)], noWorker: false },
    { what: "and then has one", looks: [...repeated(20, none), { after: 5, initializing: 1 }], noWorker: false },
    { what: "without a waiting job", looks: repeated(20, { ...none, waiting: 0 }), noWorker: false },
  ])("$what: $noWorker", ({ looks, noWorker }) => {
    expect(history(looks).noWorker).toBe(noWorker);
    expect(history(looks).stopped).toBeNull();
  });
});

const index = env.INDEX.get(env.INDEX.idFromName("account"));
const account = <R>(work: (index: Index) => R | Promise<R>): Promise<R> => runInDurableObject(index, (instance) => work(instance as unknown as Index));

describe("an endpoint that was set to no workers", () => {
  afterEach(() => account((one) => one.resume()));

  test("is named to the people whose job waits, once to operators, and forgotten when a worker starts", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const scene = await Scene.withPhotos();
    const workers = (counts: Record<string, number>) => () => ({ status: 200, body: { jobs: { inQueue: 1 }, workers: counts } });
    runpod.health = workers({ initializing: 0, idle: 0, running: 0, throttled: 0 });
    await scene.start();
    await scene.pass(3 * MINUTE);
    expect(await scene.view()).toMatchObject({ state: "queued", notice: { message: "No worker can start: the endpoint has none." } });
    expect((await account((one) => one.figures())).breaker.noWorker).toBe(true);
    expect(await account((one) => one.starts())).toBe("no_worker");
    expect(logged.mock.calls.filter(([line]) => String(line).includes("pulumi up --refresh"))).toHaveLength(1);
    runpod.health = workers({ initializing: 1 });
    await scene.pass(2 * MINUTE);
    expect(await scene.view()).toMatchObject({ state: "queued", notice: null });
    await scene.inside((project) => project.cancel());
  });
});

describe("a broken image", () => {
  afterEach(() => account((one) => one.resume()));

  test("ends the jobs that wait, refuses new ones with the reason, and is forgotten after a resume", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const [waiting, later] = [await Scene.withPhotos(), await Scene.withPhotos()];
    runpod.health = () => ({ status: 200, body: { jobs: { inQueue: 1 }, workers: { unhealthy: 1 } } });
    await waiting.start();
    await waiting.pass(3 * MINUTE);
    expect((await waiting.view()).state).toBe("queued");
    await waiting.pass(4 * MINUTE);
    expect(await waiting.view()).toMatchObject({
      state: "failed",
      error: { code: "UPSTREAM", message: "No GPU worker took the job. GPU workers failed to start 5 times in a row." },
    });
    expect(runpod.cancelled).toEqual(["job-1"]);
    expect(logged).toHaveBeenCalledWith(expect.stringContaining("splat resume"));
    expect(await later.inside((project) => project.start("preview"))).toMatchObject({ code: "UPSTREAM", status: 503, message: expect.stringContaining("5 times in a row") });
    expect(runpod.runs).toHaveLength(1);
    await account((one) => one.resume());
    expect((await later.start()).state).toBe("queued");
    await later.inside((project) => project.cancel());
  });

  test("is no matter for a job that a worker runs", async () => {
    const scene = await Scene.withPhotos();
    runpod.status = () => ({ status: 200, body: { status: "IN_PROGRESS" } });
    await scene.start();
    await scene.pass(MINUTE);
    await account((one) => one.stop("Maintenance."));
    await scene.pass(5 * MINUTE);
    expect((await scene.view()).state).toBe("running");
    await scene.inside((project) => project.cancel());
  });

  test("does not stop the service while RunPod cannot be asked", async () => {
    const scene = await Scene.withPhotos();
    runpod.health = () => "unreachable";
    await scene.start();
    await scene.pass(30 * MINUTE);
    expect((await scene.view()).state).toBe("queued");
    await scene.inside((project) => project.cancel());
  });
});
