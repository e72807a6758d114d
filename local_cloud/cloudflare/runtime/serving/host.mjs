// Owns the workerd process (through miniflare): start, change, stop.
// Knows no HTTP routing and no rules. The process has ended when dispose() returns.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";

import { STORAGE_WORKER, bucketBinding, workerOptions } from "./options.mjs";
import { dropUnusedObjects } from "./unused-objects.mjs";

// One npm lock for the repository: miniflare is a development dependency of the edge worker.
const require = createRequire(new URL("../../../../edge_worker/package.json", import.meta.url));
process.env.WRANGLER_SEND_METRICS ??= "false";
process.env.CLOUDFLARE_CF_FETCH_ENABLED ??= "false";

// miniflare ends the whole process at one of these; main.mjs stops in order instead and disposes of it.
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "message"];

function startMiniflare(options) {
  const own = new Map(SIGNALS.map((signal) => [signal, process.listeners(signal)]));
  const { Miniflare } = require("miniflare");
  const miniflare = new Miniflare(options);
  for (const [signal, listeners] of own) {
    for (const listener of process.listeners(signal)) if (!listeners.includes(listener)) process.off(signal, listener);
  }
  return miniflare;
}

export class Host {
  #miniflare;
  #persistDir;
  #log;
  #inspectorPort;
  #strikeUrl;

  /**
   * inspectorPort: port of V8's inspector, for profiles; undefined for none.
   * strikeUrl: where scripts ask for faults of their bucket bindings; undefined for none.
   */
  constructor({ persistDir, log, inspectorPort, strikeUrl }) {
    this.#inspectorPort = inspectorPort;
    this.#strikeUrl = strikeUrl;
    this.#persistDir = persistDir;
    this.#log = log;
    /** URL of workerd on the loopback address; undefined while nothing is deployed. */
    this.address = undefined;
    /** Name of the script that answers at this URL. */
    this.served = undefined;
  }

  /** Starts workerd with exactly these resources, or stops it when there are none. Throws if a script does not start. */
  async apply({ scripts, buckets, served, internalKey }) {
    if (scripts.length === 0 && buckets.length === 0) return this.dispose();
    const loaded = await Promise.all(
      scripts.map(async (script) => ({
        ...script,
        contents: await readFile(path.join(script.directory, script.props.mainModule), "utf8"),
      })),
    );
    const options = this.#options(workerOptions({ scripts: loaded, buckets, served, internalKey, strikeUrl: this.#strikeUrl }));
    try {
      if (this.#miniflare === undefined) {
        await dropUnusedObjects(this.#persistDir);
        this.#miniflare = startMiniflare(options);
      } else {
        await this.#miniflare.setOptions(options);
      }
      this.address = await this.#miniflare.ready;
      this.served = served;
    } catch (error) {
      await this.dispose();
      throw error;
    }
  }

  /** Sends a cron event to a script. */
  async scheduled(scriptName, cron, at) {
    const worker = await this.#miniflare.getWorker(scriptName);
    return worker.scheduled({ cron, scheduledTime: at });
  }

  async bucketIsEmpty(name) {
    const { objects } = await (await this.bucket(name)).list({ limit: 1 });
    return objects.length === 0;
  }

  /** The R2 binding of a bucket, usable from this process. */
  bucket(name) {
    return this.#miniflare.getR2Bucket(bucketBinding(name), STORAGE_WORKER);
  }

  async dispose() {
    const running = this.#miniflare;
    this.#miniflare = undefined;
    this.address = undefined;
    this.served = undefined;
    if (running === undefined) return;
    try {
      await running.dispose();
    } catch (error) {
      this.#log(`workerd did not start cleanly before it was stopped: ${error.message}`);
    }
  }

  #options(workers) {
    const { Log, LogLevel } = require("miniflare");
    return {
      host: "127.0.0.1",
      port: 0,
      resourcePersistencePath: this.#persistDir,
      log: new Log(LogLevel.NONE),
      logRequests: false,
      telemetry: { enabled: false },
      // It would announce the scripts to every miniflare of this user, in the user's own configuration folder.
      enableDevRegistry: false,
      ...(this.#inspectorPort === undefined ? {} : { inspectorPort: this.#inspectorPort, inspectorHost: "127.0.0.1" }),
      handleStructuredLogs: ({ level, message }) => this.#log(`worker ${level}: ${message}`),
      workers,
    };
  }
}
