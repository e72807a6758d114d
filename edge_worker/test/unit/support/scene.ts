// One project's object under a scripted RunPod and a clock of the test's own: real storage, bucket and alarms in workerd.
// `runpod` is new for each test; its `now` is the time.
import { env, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, vi } from "vitest";

import reportExample from "../../../../docs/contracts/job-report.json";
import type { JobInput, OutputName } from "../../../shared/contracts/job-input.ts";
import type { Project as ProjectView } from "../../../shared/contracts/project.ts";
import { keys } from "../../../src/clients/bucket-keys.ts";
import { hmac, randomId, toBase64 } from "../../../src/crypto.ts";
import type { Grant } from "../../../src/identity/capability.ts";
import type { Project } from "../../../src/project/project-object.ts";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const T0 = Date.now() + 30 * 24 * HOUR;


export type Reply = { readonly status: number; readonly body?: unknown } | "unreachable" | "takes effect, answer lost";

export class RunPodScript {
  /** The time for everything in this isolate. */
  get now(): number {
    return Date.now();
  }
  set now(ms: number) {
    vi.setSystemTime(ms);
  }
  readonly runs: { endpoint: string; readonly id: string; readonly webhook: string; readonly input: JobInput }[] = [];
  readonly cancelled: string[] = [];
  readonly gone = new Map<string, number>();
  asked = 0;
  run: () => Reply = () => ({ status: 200 });
  /** Runs after a job was queued and before the answer leaves. */
  queued: () => void = () => undefined;
  status: (minutes: number) => Reply = () => ({ status: 200, body: { status: "IN_QUEUE" } });
  cancel: () => Reply = () => ({ status: 200, body: {} });
  health: (minutes: number) => Reply = () => ({ status: 200, body: { jobs: { inQueue: 1 }, workers: { initializing: 1 } } });

  async fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const [endpoint = "", call = "", id = ""] = new URL(String(input)).pathname.split("/").slice(2);
    if (call === "run") {
      const reply = this.run();
      if (reply === "takes effect, answer lost" || (typeof reply === "object" && reply.status === 200)) {
        const made = { ...(JSON.parse(String(init?.body)) as { webhook: string; input: JobInput }), endpoint, id: `job-${this.runs.length + 1}` };
        this.runs.push(made);
        this.queued();
        return this.#answer(reply, { id: made.id, status: "IN_QUEUE" });
      }
      return this.#answer(reply);
    }
    // An endpoint knows only its own jobs; `gone`: it was deleted.
    const isElsewhere = this.runs.some((run) => run.id === id && run.endpoint !== endpoint);
    if (isElsewhere || this.gone.has(endpoint)) return this.#answer({ status: this.gone.get(endpoint) ?? 404 });
    if (call === "status") {
      this.asked += 1;
      return this.#answer(this.status((this.now - T0) / MINUTE));
    }
    if (call === "health") return this.#answer(this.health((this.now - T0) / MINUTE));
    const reply = this.cancel();
    if (typeof reply === "object" && reply.status === 200) this.cancelled.push(id);
    return this.#answer(reply);
  }

  #answer(reply: Reply, body?: unknown): Response {
    if (typeof reply === "string") throw new TypeError("connection lost");
    return Response.json(reply.body ?? body ?? {}, { status: reply.status });
  }
}


export let runpod: RunPodScript;
beforeEach(() => {
  runpod = new RunPodScript();
  runpod.now = T0;
  vi.spyOn(globalThis, "fetch").mockImplementation((input, init) => runpod.fetch(input as RequestInfo, init as RequestInit));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** The account's list, newest first. */
export async function listed(): Promise<string[]> {
  return runInDurableObject(env.INDEX.get(env.INDEX.idFromName("account")), (index) => index.list(1000, null).projects.map(({ id }) => id));
}

export class Scene {
  readonly id = randomId("p", 16);
  readonly stub = env.PROJECT.get(env.PROJECT.idFromName(this.id));

  static async withPhotos(count = 5): Promise<Scene> {
    const scene = new Scene();
    await scene.inside((project) => project.create(scene.id, "Teapot"));
    const photos = Array.from({ length: count }, (_, index) => ({ name: `${index}.jpg`, type: "image/jpeg" as const, bytes: 4 }));
    await scene.inside((project) => project.declarePhotos(photos, "caller"));
    for (const index of photos.keys()) {
      await env.BUCKET.put(keys.photo(scene.id, `${String(index + 1).padStart(4, "0")}.jpg`), new Uint8Array([0xff, 0xd8, 0xff, 0xe0]));
    }
    await scene.inside((project) => project.sniffPhotos(100));
    return scene;
  }

  inside<R>(work: (project: Project) => R | Promise<R>): Promise<R> {
    return runInDurableObject(this.stub, (instance) => work(instance as unknown as Project));
  }

  /** Throws the object out of memory; what it kept in storage, and its open websockets, stay. */
  async evict(): Promise<void> {
    await evictDurableObject(this.stub);
  }

  async start(): Promise<ProjectView> {
    const answer = await this.inside((project) => project.start("preview"));
    if ("refused" in answer) throw new Error(answer.message);
    return answer;
  }

  /** From here on another endpoint is deployed than `endpoint`, which took the newest attempt. */
  async tookEndpoint(endpoint: string): Promise<void> {
    const run = runpod.runs.at(-1);
    if (run !== undefined) run.endpoint = endpoint;
    await runInDurableObject(this.stub, (_instance, state) => {
      state.storage.sql.exec("UPDATE project SET job = replace(job, ?, ?)", `"endpoints":["ep123"`, `"endpoints":["${endpoint}"`);
    });
    await this.evict();
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

  /** What the capability in an attempt's webhook address grants. */
  grant(attempt = 1): Grant {
    const run = runpod.runs.find(({ input }) => input.project_id === this.id && input.attempt === attempt);
    const [, , , nonce = ""] = (run?.webhook.split("/").at(-1) ?? "").split(".");
    return { projectId: this.id, attempt, nonce, expiresAt: runpod.now + HOUR };
  }

  webhook(hintedId: string | null = null, attempt = 1): Promise<boolean> {
    const grant = this.grant(attempt);
    return this.inside((project) => project.onRunPodHook(grant, hintedId));
  }

  /** A worker's signed progress; returns the verdict. runpodId: absent from older workers. */
  /** clockAheadS: by how much the worker's clock is wrong. */
  async progress(seq: number, fraction: number, attempt = 1, runpodId?: string, clockAheadS = 0): Promise<unknown> {
    const secret = runpod.runs.find(({ input }) => input.project_id === this.id && input.attempt === attempt)?.input.progress.secret ?? "";
    const body = JSON.stringify({ project_id: this.id, attempt, runpod_id: runpodId, seq, stage: "train", fraction, message: "", eta_s: 1 });
    const headers = { "webhook-id": `msg_${seq}`, "webhook-timestamp": String(Math.floor(runpod.now / 1000) + clockAheadS) };
    const mac = await hmac(secret.slice("whsec_".length), `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`);
    const signed = { ...headers, "webhook-signature": `v1,${toBase64(mac)}` };
    const grant = this.grant(attempt);
    return this.inside((project) => project.onProgress(grant, signed, body));
  }

  leaveReport(attempt = 1): Promise<unknown> {
    return env.BUCKET.put(keys.output(this.id, attempt, "report.json"), JSON.stringify(this.report(attempt)));
  }

  /** files: artifacts of a few bytes, put into the bucket. */
  async reportWith(attempt: number, files: readonly OutputName[], more: object = {}): Promise<object> {
    for (const name of files) await env.BUCKET.put(keys.output(this.id, attempt, name), `${name} of ${attempt}`);
    const artifacts = Object.fromEntries(files.map((name) => [name, { bytes: `${name} of ${attempt}`.length, sha256: "0" }]));
    return { ...this.report(attempt), artifacts, ...more };
  }

  report(attempt = 1): object {
    return {
      ...reportExample,
      project_id: this.id,
      attempt,
      photos: { given: 5, registered: 5, rejected: [] },
      artifacts: {},
      stages: [{ stage: "train", seconds: 60 }],
      price: { ...reportExample.price, usd: 0.5, billed_s: 100 },
    };
  }
}
