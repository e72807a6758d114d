// What is still to be sent when an upload starts or goes on: local photos against the server's list.
// Pure; a photo is the same when its name and its size are.
import type { StoredPhoto } from "../../../shared/contracts/api.ts";
import { PHOTOS_PER_CALL_MAX } from "../../../shared/limits.ts";

export interface LocalPhoto {
  name: string;
  type: string;
  bytes: number;
  sha256: string | null;
}

export interface Plan<P extends LocalPhoto> {
  /** Already received. */
  sent: P[];
  /** To be declared (again) and sent. */
  toSend: P[];
  /** Announced earlier, never received, and not among the local photos: to be taken back. */
  stray: StoredPhoto[];
}

const same = (a: { name: string; bytes: number }): string => `${a.bytes}:${a.name}`;

export function plan<P extends LocalPhoto>(local: readonly P[], server: readonly StoredPhoto[]): Plan<P> {
  const received = new Set(server.filter(({ uploaded }) => uploaded).map(same));
  const here = new Set(local.map(same));
  return {
    sent: local.filter((photo) => received.has(same(photo))),
    toSend: local.filter((photo) => !received.has(same(photo))),
    stray: server.filter((photo) => !photo.uploaded && !here.has(same(photo))),
  };
}

export function batches<T>(items: readonly T[], size = PHOTOS_PER_CALL_MAX): T[][] {
  const out: T[][] = [];
  for (let i = 0; i < items.length; i += size) out.push(items.slice(i, i + size));
  return out;
}

export type Outcome =
  | { kind: "sent" }
  /** The address is too old: announce the photo again. */
  | { kind: "expired" }
  | { kind: "retry" }
  | { kind: "refused"; reason: string };

/** What an answer to the PUT means. Status 0: the connection broke. */
export function outcome(status: number): Outcome {
  if (status >= 200 && status < 300) return { kind: "sent" };
  // Written once: the bytes of an earlier try are already there.
  if (status === 412) return { kind: "sent" };
  if (status === 400 || status === 403) return { kind: "expired" };
  if (status === 0 || status === 408 || status === 429 || status >= 500) return { kind: "retry" };
  return { kind: "refused", reason: `The storage refused this photo (${status}).` };
}

/** Longer waits are not worth sitting out: a day's limit is told at once, with until when. */
const PATIENCE_S = 60;

/** Whether a call that may be repeated should be: the connection broke, the server is busy for a moment or stumbled. */
export const worthRepeating = (status: number, retryAfterS: number | null = null): boolean => outcome(status).kind === "retry" && (retryAfterS ?? 0) <= PATIENCE_S;

export const TRIES_MAX = 6;
const WAIT_BASE_MS = 1000;
const WAIT_MAX_MS = 20_000;

/** How long to wait before try `n` (1 = the first repeat); `random` in [0, 1) spreads the crowd. */
export function waitMs(n: number, random: number): number {
  const full = Math.min(WAIT_MAX_MS, WAIT_BASE_MS * 2 ** (n - 1));
  return full / 2 + (full / 2) * random;
}
