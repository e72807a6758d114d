// The built Worker in the local cloud's Cloudflare runtime, deployed through its control API as `pulumi up` does.
// Everything on 127.0.0.1 and on free ports; stop() leaves no process and no file.
import { spawn, type ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

import { COUNTERS_PATH } from "../../../scripts/counting.mjs";
import { ScriptedRunPod } from "./runpod.ts";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const RUNTIME = path.resolve(ROOT, "../local_cloud/cloudflare/runtime/main.mjs");
export const BUCKET = "splat-test";
/** Set by `npm test`: run the bundle that counts its lines, and keep its counters. */
const COVERAGE = process.env["COVERAGE"] !== undefined;

export interface Tokens {
  readonly operate: string;
  readonly upload: string;
  readonly view: string;
}

export interface CloudOptions {
  readonly limits?: Readonly<Record<string, number>>;
  /** Bindings in place of the usual ones, or left out if null. */
  readonly bindings?: Readonly<Record<string, string | null>>;
  /** Requests per ten seconds that one identity may send. */
  readonly rateLimit?: number;
  /** The very bundle that `pulumi up` ships, whatever else is measured. */
  readonly shipped?: boolean;
  /** More of the runtime's command line. */
  readonly runtimeArguments?: readonly string[];
}

export class Cloud {
  readonly runpod: ScriptedRunPod;
  readonly url: string;
  readonly tokens: Tokens;
  readonly hookKeys: readonly string[];
  readonly #controlUrl: string;
  readonly #process: ChildProcess;
  readonly #directory: string;
  readonly #log: string[];
  #counted = false;
  #s3: { id: string; secret: string } = { id: "", secret: "" };

  private constructor(parts: { runpod: ScriptedRunPod; url: string; controlUrl: string; process: ChildProcess; directory: string; log: string[] }) {
    this.runpod = parts.runpod;
    this.url = parts.url;
    this.#controlUrl = parts.controlUrl;
    this.#process = parts.process;
    this.#directory = parts.directory;
    this.#log = parts.log;
    this.tokens = { operate: token(), upload: token(), view: token() };
    this.hookKeys = [randomBytes(32).toString("base64")];
  }

  static async start(options: CloudOptions = {}): Promise<Cloud> {
    const directory = await mkdtemp(path.join(tmpdir(), "splat-edge-"));
    const runpod = await ScriptedRunPod.start();
    const child = spawn(process.execPath, [RUNTIME, "--port", "0", "--control-port", "0", "--state", path.join(directory, "state"), ...(options.runtimeArguments ?? [])], {
      env: { ...process.env, CLOUDFLARE_API_TOKEN: "control-key" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    // An interrupted test run must not leave the runtime behind.
    process.once("exit", () => child.kill("SIGTERM"));
    const log: string[] = [];
    createInterface({ input: child.stderr }).on("line", (line) => log.push(line));
    const first = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).once("line", resolve);
      child.once("exit", (code) => reject(new Error(`the runtime ended with ${code}: ${log.join("\n")}`)));
    });
    const { url, control_url } = JSON.parse(first) as { url: string; control_url: string };
    const cloud = new Cloud({ runpod, url, controlUrl: control_url, process: child, directory, log });
    await cloud.control("R2Bucket", BUCKET, { name: BUCKET });
    const resources = JSON.stringify({ [`com.cloudflare.edge.r2.bucket.acc_default_${BUCKET}`]: "*" });
    const made = await cloud.control("AccountToken", "new", { name: "s3", policies: [{ effect: "allow", permissionGroups: [{ id: "write" }], resources }] });
    cloud.#s3 = { id: String(made["id"]), secret: createHash("sha256").update(String(made["value"])).digest("hex") };
    await cloud.deploy(options);
    await cloud.control("WorkersScriptSubdomain", "edge", { enabled: true });
    return cloud;
  }

  /** Deploys the script (again), with other bindings if given. */
  async deploy(options: CloudOptions = {}): Promise<void> {
    const assets = path.join(this.#directory, "web");
    await mkdir(assets, { recursive: true });
    await writeFile(path.join(assets, "index.html"), "<!doctype html><title>app</title>");
    await writeFile(path.join(assets, "app.js"), "export {};");
    await copyFile(path.join(ROOT, "dist/web/openapi.json"), path.join(assets, "openapi.json"));
    const wrangler = JSON.parse(stripComments(await readFile(path.join(ROOT, "wrangler.jsonc"), "utf8"))) as {
      compatibility_date: string;
      assets: { run_worker_first: string[]; not_found_handling: string };
    };
    const deployed = await this.#deployedTag();
    await this.#keepCounters();
    this.#counted = COVERAGE && (options.shipped !== true);
    await this.control("WorkersScript", "edge", {
      contentFile: path.join(ROOT, this.#counted ? "dist/coverage/index.js" : "dist/index.js"),
      mainModule: "index.js",
      compatibilityDate: wrangler.compatibility_date,
      migrations: { newTag: "v1", ...(deployed === null ? { newSqliteClasses: ["Index", "Project"] } : { oldTag: deployed }) },
      assets: { directory: assets, config: { notFoundHandling: wrangler.assets.not_found_handling, runWorkerFirst: wrangler.assets.run_worker_first } },
      bindings: this.#bindings(options),
    });
  }

  /** Before the isolate that holds them goes. */
  async #keepCounters(): Promise<void> {
    if (!this.#counted) return;
    const folder = path.join(ROOT, "coverage/integration");
    await mkdir(folder, { recursive: true });
    const counters = await fetch(`${this.url}${COUNTERS_PATH}`);
    await writeFile(path.join(folder, `${randomBytes(8).toString("hex")}.json`), await counters.text());
  }

  #bindings({ limits = {}, bindings = {}, rateLimit = 10_000 }: CloudOptions): object[] {
    const digest = (text: string): string => createHash("sha256").update(text).digest("hex");
    const texts: Record<string, string | null> = {
      API_TOKENS: JSON.stringify(
        Object.entries(this.tokens).map(([scope, value]) => ({ name: `${scope}-token`, sha256: digest(value), scopes: [scope] })),
      ),
      HOOK_KEYS: JSON.stringify(this.hookKeys),
      LIMITS: JSON.stringify({
        photos_min: 5,
        photos_max: 400,
        photo_bytes_max: 1_000_000,
        project_bytes_max: 10_000_000,
        upload_bytes_per_day: 1_000_000_000,
        job_seconds_max: 3600,
        jobs_per_day: 1000,
        jobs_at_once: 100,
        budget_usd_per_month: 100,
        start_failures_max: 5,
        ...limits,
      }),
      PRICE: JSON.stringify({ gpu: "RTX 4090", usd_per_s: 0.00031, as_of: "2026-11-23", source: "test" }),
      RUNPOD_API_KEY: this.runpod.apiKey,
      RUNPOD_ENDPOINT_ID: this.runpod.endpointId,
      RUNPOD_JOB_URL: this.runpod.jobUrl,
      S3_ACCESS_KEY_ID: this.#s3.id,
      S3_BUCKET: BUCKET,
      S3_ENDPOINT: `${this.url}/cdn-cgi/local/r2/s3`,
      S3_SECRET_ACCESS_KEY: this.#s3.secret,
      STACK: "test",
      WORKER_URL: this.url,
      ...bindings,
    };
    return [
      { name: "ASSETS", type: "assets" },
      { name: "BUCKET", type: "r2_bucket", bucketName: BUCKET },
      { name: "INDEX", type: "durable_object_namespace", className: "Index" },
      { name: "PROJECT", type: "durable_object_namespace", className: "Project" },
      // Counters of its own for each limit: what a caller sent under another limit, by which no test is held, does not count.
      { name: "RATE_LIMIT", type: "ratelimit", namespaceId: String(1000 + rateLimit), simple: { limit: rateLimit, period: 10 } },
      ...Object.entries(texts).flatMap(([name, text]) => (text === null ? [] : [{ name, type: "secret_text", text }])),
    ];
  }

  async #deployedTag(): Promise<string | null> {
    const response = await fetch(`${this.#controlUrl}/accounts/a/workers/scripts`, { headers: { authorization: "Bearer control-key" } });
    const { result } = (await response.json()) as { result: { migration_tag: string | null }[] };
    return result[0]?.migration_tag ?? null;
  }

  async control(type: string, id: string, props: object): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.#controlUrl}/resources/${type}/${id}`, {
      method: "PUT",
      headers: { authorization: "Bearer control-key" },
      body: JSON.stringify({ props }),
    });
    const body = (await response.json()) as { props: Record<string, unknown>; error?: { message: string } };
    if (!response.ok) throw new Error(`${type}/${id}: ${body.error?.message}`);
    return body.props;
  }

  /** One call of the API; the token of the given scope, or none. */
  async call(method: string, route: string, { as = "operate", body, headers = {} }: { as?: keyof Tokens | null; body?: unknown; headers?: Record<string, string> } = {}): Promise<Answer> {
    const response = await fetch(`${this.url}${route}`, {
      method,
      redirect: "manual",
      headers: { ...(as === null ? {} : { authorization: `Bearer ${this.tokens[as]}` }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parse(text) };
  }

  log(): string {
    return this.#log.join("\n");
  }

  /** Peak of resident memory of the runtime and its workerd, each in MB; none where there is no /proc. */
  async memoryPeaksMb(): Promise<number[]> {
    const own = `/proc/${this.#process.pid}`;
    const children = await readFile(`${own}/task/${this.#process.pid}/children`, "utf8").catch(() => null);
    if (children === null) return [];
    const folders = [own, ...children.split(" ").filter(Boolean).map((pid) => `/proc/${pid}`)];
    const statuses = await Promise.all(folders.map((folder) => readFile(`${folder}/status`, "utf8")));
    return statuses.map((status) => Math.round((Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) * 1024) / 1e6));
  }

  async stop(): Promise<void> {
    await this.#keepCounters();
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGTERM");
    await ended;
    await this.runpod.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // The tests look into many shapes; each expectation checks what it reads.
  // biome-ignore lint/suspicious/noExplicitAny: test data
  readonly json: any;
}

function token(): string {
  return `spl_${randomBytes(24).toString("base64url")}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function stripComments(jsonc: string): string {
  return jsonc.replace(/^\s*\/\/.*$/gm, "");
}
