// What is left to upload: compares local photos with the server's list.
// Pure. Two photos are the same if their name and size are.
import type { StoredPhoto } from "../../../shared/contracts/api.ts";
import { PHOTOS_PER_CALL_MAX } from "../../../shared/limits.ts";

export interface LocalPhoto {
  name: string;
  type: string;
  bytes: number;
  sha256: string | null;
}

export interface Plan<P extends LocalPhoto> {
  /** Already uploaded. */
  sent: P[];
  /** To declare (again) and upload. */
  toSend: P[];
  /** Declared earlier, never uploaded, and not among the local photos: to remove. */
  orphaned: StoredPhoto[];
}

const same = (a: { name: string; bytes: number }): string => `${a.bytes}:${a.name}`;

export function plan<P extends LocalPhoto>(local: readonly P[], server: readonly StoredPhoto[]): Plan<P> {
  const received = new Set(server.filter(({ uploaded }) => uploaded).map(same));
  const here = new Set(local.map(same));
  return {
    sent: local.filter((photo) => received.has(same(photo))),
    toSend: local.filter((photo) => !received.has(same(photo))),
    orphaned: server.filter((photo) => !photo.uploaded && !here.has(same(photo))),
  };
}

export interface Match<P extends LocalPhoto> {
  /** Chosen photos that are missing on the server. */
  found: P[];
  /** Chosen photos that the server has never heard of: perhaps of another set. */
  fresh: P[];
  /** How many photos are declared, and missing on the server and among the chosen ones. */
  stillMissing: number;
}

/** Compares photos that were chosen to resume an upload with those that were declared for it. */
export function match<P extends LocalPhoto>(local: readonly P[], server: readonly StoredPhoto[]): Match<P> {
  const missing = new Set(server.filter(({ uploaded }) => !uploaded).map(same));
  const declared = new Set(server.map(same));
  const found = local.filter((photo) => missing.has(same(photo)));
  return { found, fresh: local.filter((photo) => !declared.has(same(photo))), stillMissing: missing.size - new Set(found.map(same)).size };
}

/** Stored photos that have no thumbnail yet, each with the thumbnail of this browser. */
export function without<P extends LocalPhoto & { small: Blob | null }>(local: readonly P[], server: readonly StoredPhoto[]): { as: string; small: Blob }[] {
  const made = new Map(local.map((photo) => [same(photo), photo.small]));
  return server.flatMap((photo) => {
    const small = photo.uploaded && !photo.thumbnail ? (made.get(same(photo)) ?? null) : null;
    return small === null ? [] : [{ as: photo.as, small }];
  });
}

export function batches<T>(items: readonly T[], size = PHOTOS_PER_CALL_MAX): T[][] {
  const out: T[][] = [];
  for (let i = 0; i < items.length; i += size) out.push(items.slice(i, i + size));
  return out;
}

export type Outcome =
  | { kind: "sent" }
  /** The upload URL has expired: declare the photo again. */
  | { kind: "expired" }
  | { kind: "retry" }
  | { kind: "rejected"; reason: string };

/** What the status of a PUT means. 0: the connection broke. */
export function outcome(status: number): Outcome {
  if (status >= 200 && status < 300) return { kind: "sent" };
  // Objects are written once: an earlier try already stored the bytes.
  if (status === 412) return { kind: "sent" };
  if (status === 400 || status === 403) return { kind: "expired" };
  if (status === 0 || status === 408 || status === 429 || status >= 500) return { kind: "retry" };
  return { kind: "rejected", reason: `The storage rejected this photo (${status}). Resume the upload to try again.` };
}

/** Longest Retry-After worth waiting for. A used-up daily limit is shown at once. */
const PATIENCE_S = 60;

/** Whether to repeat an idempotent call: the connection broke, or the server is busy or failed. */
export const worthRepeating = (status: number, retryAfterS: number | null = null): boolean => outcome(status).kind === "retry" && (retryAfterS ?? 0) <= PATIENCE_S;

export const TRIES_MAX = 6;
const WAIT_BASE_MS = 1000;
const WAIT_MAX_MS = 20_000;

/** Backoff before repeat `n` (from 1), with jitter from `random` in [0, 1). */
export function waitMs(n: number, random: number): number {
  const full = Math.min(WAIT_MAX_MS, WAIT_BASE_MS * 2 ** (n - 1));
  return full / 2 + (full / 2) * random;
}
