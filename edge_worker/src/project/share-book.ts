// Share links of one project: made, listed, revoked, opened.
// The secret is shown once; only its digest is kept.
import { equalSecrets, randomId, sha256Hex } from "../crypto.ts";
import { ApiError } from "../errors.ts";
import type { ProjectStore, ShareRow } from "./store.ts";

const SHARES_MAX = 100;

export interface NewShare {
  readonly id: string;
  /** Goes into the link: the project's id and the secret. */
  readonly token: string;
  readonly expiresAt: number | null;
}

export type ListedShare = Omit<ShareRow, "secret_sha256">;

export async function createShare(
  store: ProjectStore,
  projectId: string,
  secret: string,
  expiresInS: number | null,
  now: number,
): Promise<NewShare> {
  const token = `${projectId}.${secret}`;
  const digest = await sha256Hex(secret);
  if (store.shares(now).length >= SHARES_MAX) {
    throw new ApiError("CONFLICT", `The project has ${SHARES_MAX} share links, which is the most allowed.`, { hint: "Revoke one first." });
  }
  const id = randomId("s", 10);
  const expiresAt = expiresInS === null ? null : now + expiresInS * 1000;
  store.addShare({ id, secret_sha256: digest, created_at: now, expires_at: expiresAt });
  return { id, token, expiresAt };
}

/** The link of that id again, by those of the secrets that its digest tells. Throws CONFLICT if it is over or cannot be told any more. */
export async function findShare(store: ProjectStore, projectId: string, id: string, secrets: readonly string[], now: number): Promise<NewShare> {
  const share = store.shares(now).find((one) => one.id === id);
  if (share === undefined) throw new ApiError("CONFLICT", "The link of this Idempotency-Key was revoked or has expired.", { hint: "Send a new Idempotency-Key." });
  for (const secret of secrets) {
    if ((await sha256Hex(secret)) === share.secret_sha256) return { id, token: `${projectId}.${secret}`, expiresAt: share.expires_at };
  }
  throw new ApiError("CONFLICT", "The link of this Idempotency-Key was shown before the keys were rotated and cannot be shown again.", {
    hint: "Send a new Idempotency-Key.",
  });
}

export function listShares(store: ProjectStore, now: number): ListedShare[] {
  return store.shares(now).map(({ id, created_at, expires_at }) => ({ id, created_at, expires_at }));
}

export function revokeShare(store: ProjectStore, id: string): void {
  if (!store.deleteShare(id)) throw new ApiError("NOT_FOUND", `The project has no share link "${id}".`);
}

/** Throws NOT_FOUND unless the secret is that of a link that works now. */
export async function checkShare(store: ProjectStore, secret: string, now: number): Promise<void> {
  const digest = await sha256Hex(secret);
  for (const share of store.row === undefined ? [] : store.shares(now)) {
    if (await equalSecrets(share.secret_sha256, digest)) return;
  }
  throw new ApiError("NOT_FOUND", "This link does not exist (any more).");
}
