// A scripted RunPod: the job API over real HTTP, whose jobs do what a test says.
// Answers as facts from RunPod's documentation say; never does anything by itself.
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface JobInputLike {
  readonly project_id: string;
  readonly attempt: number;
  readonly preset: string;
  readonly photos: readonly { readonly name: string; readonly url: string; readonly bytes: number }[];
  readonly outputs: Readonly<Record<string, string>>;
  readonly checkpoint: { readonly get: string; readonly put: string };
  readonly progress: { readonly url: string; readonly secret: string };
  readonly limits: { readonly max_seconds: number; readonly max_cost_usd?: number };
}

export interface ScriptedJob {
  readonly id: string;
  readonly input: JobInputLike;
  readonly webhook: string;
  readonly policy: { readonly executionTimeout: number; readonly ttl: number };
  status: "IN_QUEUE" | "IN_PROGRESS" | "COMPLETED" | "FAILED" | "CANCELLED" | "TIMED_OUT";
  output?: unknown;
  error?: unknown;
}

/** What the server does instead of its normal answer, for the next matching call. */
export interface Fault {
  readonly call: "run" | "status" | "cancel" | "health";
  /** `lost`: the call takes effect, but the connection breaks before the answer. */
  readonly answer: number | "lost" | "unreachable";
  times: number;
}

export class ScriptedRunPod {
  readonly jobs = new Map<string, ScriptedJob>();
  readonly calls: string[] = [];
  readonly faults: Fault[] = [];
  readonly endpointId = "ep123";
  readonly apiKey = "rp_test_key";
  /** Called while /run is being handled, before its answer leaves. */
  onRun: ((job: ScriptedJob) => Promise<void>) | undefined;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  static async start(): Promise<ScriptedRunPod> {
    const runpod = new ScriptedRunPod();
    await new Promise<void>((resolve) => runpod.#server.listen(0, "127.0.0.1", resolve));
    return runpod;
  }

  get jobUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v2`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** The newest job of a project; throws if there is none. */
  jobOf(projectId: string): ScriptedJob {
    const job = [...this.jobs.values()].findLast(({ input }) => input.project_id === projectId);
    if (job === undefined) throw new Error(`RunPod got no job of ${projectId}`);
    return job;
  }

  jobsOf(projectId: string): ScriptedJob[] {
    return [...this.jobs.values()].filter(({ input }) => input.project_id === projectId);
  }

  /** What the platform does at the end of a job. */
  async webhook(job: ScriptedJob): Promise<Response> {
    return fetch(job.webhook, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(job) });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, version, endpointId, call = "", id = ""] = (request.url ?? "").split("/");
    this.calls.push(`${request.method} ${call}`);
    const fault = this.faults.find((one) => one.call === call && one.times > 0);
    if (fault !== undefined) {
      fault.times -= 1;
      if (fault.answer === "unreachable") return void request.socket.destroy();
      if (typeof fault.answer === "number") return reply(response, fault.answer, { error: "scripted" });
    }
    if (request.headers.authorization !== `Bearer ${this.apiKey}`) return reply(response, 401, {});
    if (version !== "v2" || endpointId !== this.endpointId) return reply(response, 404, {});
    const body = await readJson(request);
    const job = this.jobs.get(id);
    if (call === "run" && request.method === "POST") {
      const made = { id: `${randomUUID()}-u1`, status: "IN_QUEUE", ...(body as object) } as ScriptedJob;
      this.jobs.set(made.id, made);
      await this.onRun?.(made);
      if (fault?.answer === "lost") return void request.socket.destroy();
      return reply(response, 200, { id: made.id, status: "IN_QUEUE" });
    }
    if (call === "health") {
      return reply(response, 200, { jobs: { completed: 1, failed: 0, inProgress: 0, inQueue: 2, retried: 0 }, workers: { idle: 1, running: 0 } });
    }
    if (job === undefined) return reply(response, 404, { error: "not found" });
    if (call === "cancel") {
      if (job.status === "IN_QUEUE" || job.status === "IN_PROGRESS") job.status = "CANCELLED";
      return reply(response, 200, { id: job.id, status: job.status });
    }
    const { status, output, error } = job;
    return reply(response, 200, { id: job.id, status, delayTime: 10, ...(output === undefined ? {} : { output }), ...(error === undefined ? {} : { error }) });
  }
}

/** What the worker inside a job does. */
export class ScriptedWorker {
  readonly #job: ScriptedJob;

  constructor(job: ScriptedJob) {
    this.#job = job;
  }

  progressMessage(seq: number, stage: string, fraction: number, extra: object = {}): object {
    const { project_id, attempt } = this.#job.input;
    return { project_id, attempt, seq, stage, fraction, message: `${stage} at ${fraction}`, eta_s: 10, preview: null, ...extra };
  }

  async sendProgress(message: object, { secret = this.#job.input.progress.secret, ageS = 0 }: { secret?: string; ageS?: number } = {}): Promise<Response> {
    const body = JSON.stringify(message);
    const id = `msg_${randomBytes(8).toString("hex")}`;
    const timestamp = String(Math.floor(Date.now() / 1000) - ageS);
    const key = Buffer.from(secret.slice("whsec_".length), "base64");
    const mac = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
    return fetch(this.#job.input.progress.url, {
      method: "POST",
      headers: { "content-type": "application/json", "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${mac}` },
      body,
    });
  }

  /** Fetches the photos, uploads every output, and returns the report. */
  async work(artifacts: Readonly<Record<string, string>> = { "scene.ply": "ply bytes", "scene.sog": "sog bytes", "poster.webp": "webp" }): Promise<object> {
    const { input } = this.#job;
    for (const { url, bytes } of input.photos) {
      const photo = await fetch(url);
      if (photo.status !== 200 || (await photo.bytes()).length !== bytes) throw new Error(`photo: ${photo.status}`);
    }
    for (const [name, text] of Object.entries(artifacts)) await this.put(name, text);
    const report = this.report(artifacts);
    await this.put("report.json", JSON.stringify(report));
    return report;
  }

  async put(name: string, body: string): Promise<void> {
    const type = name.endsWith(".json") ? "application/json" : name.endsWith(".webp") ? "image/webp" : "application/octet-stream";
    const response = await fetch(this.#job.input.outputs[name] ?? "", { method: "PUT", headers: { "content-type": type }, body });
    if (response.status !== 200) throw new Error(`PUT ${name}: ${response.status} ${await response.text()}`);
  }

  report(artifacts: Readonly<Record<string, string>>): object {
    const { project_id, attempt, preset, photos } = this.#job.input;
    return {
      version: 1,
      project_id,
      attempt,
      preset,
      device: { kind: "cpu", name: "test", count: 1 },
      photos: { given: photos.length, registered: photos.length, rejected: [] },
      metrics: { psnr_db: 25.5, ssim: 0.8, gaussians: 1000, held_out: [], width: 64, height: 48, reprojection_error_px: 0.5 },
      artifacts: Object.fromEntries(Object.entries(artifacts).map(([name, text]) => [name, { bytes: Buffer.byteLength(text), sha256: "0".repeat(64) }])),
      stages: [
        { stage: "sfm", seconds: 3 },
        { stage: "train", seconds: 7 },
      ],
      price: { usd: 0.0031, usd_per_s: 0.00031, gpu: "RTX 4090", as_of: "2026-11-23", billed_s: 10, estimate: true },
      warnings: [],
    };
  }
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString("utf8");
  return text === "" ? {} : JSON.parse(text);
}
