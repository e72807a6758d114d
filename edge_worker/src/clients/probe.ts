// Calls that show whether the services behind the edge accept it: RunPod's key, the bucket's key and CORS rules, the clock.
// Changes nothing: the photo that it asks for does not exist. Never throws.
import type { Settings } from "../settings.ts";
import { Presigner } from "./presign.ts";
import { RunPod, RunPodError, type Health } from "./runpod.ts";

const TIMEOUT_MS = 8_000;
/** No project has such an id. */
const NO_SUCH_KEY = "projects/p_0000000000000000/photos/0001.jpg";

export interface RunPodProbe {
  /** null: see status. */
  readonly health: Health | null;
  /** Of an answer other than success; null: no answer. */
  readonly status: number | null;
}

export interface BucketProbe {
  /** Of a signed GET of an object that does not exist; null: no answer. */
  readonly get: number | null;
  /** What a browser's preflight of an upload is allowed: origin and methods; null: no answer. */
  readonly preflight: { readonly origin: string; readonly methods: string } | null;
  /** This Worker's clock minus that of the bucket, s; null: the answer has no date. */
  readonly skewS: number | null;
}

export async function probeRunPod(settings: Settings["runpod"]): Promise<RunPodProbe> {
  try {
    return { health: await new RunPod(settings).health(), status: null };
  } catch (error) {
    return { health: null, status: error instanceof RunPodError ? error.status : null };
  }
}

/** origin: of the app, from which browsers upload. */
export async function probeBucket(settings: Pick<Settings, "s3">, origin: string): Promise<BucketProbe> {
  const signer = new Presigner(settings);
  const [readUrl, { url: writeUrl }] = await Promise.all([signer.get(NO_SUCH_KEY, 60), signer.put(NO_SUCH_KEY, 60, { contentType: "image/jpeg" })]);
  const [read, preflight] = await Promise.all([
    request(readUrl, {}),
    request(writeUrl, { method: "OPTIONS", headers: { origin, "access-control-request-method": "PUT", "access-control-request-headers": "content-type" } }),
  ]);
  const date = Date.parse(read?.headers.get("date") ?? "");
  return {
    get: read?.status ?? null,
    preflight: preflight === null ? null : { origin: preflight.headers.get("access-control-allow-origin") ?? "", methods: preflight.headers.get("access-control-allow-methods") ?? "" },
    skewS: Number.isNaN(date) ? null : (Date.now() - date) / 1000,
  };
}

async function request(url: string, init: RequestInit): Promise<Response | null> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(url, { ...init, redirect: "manual", signal: limit.signal });
    await response.body?.cancel();
    return response;
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
