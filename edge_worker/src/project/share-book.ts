// Share links of one project: created, listed, revoked, opened.
// A link is shown once; only the digest of its secret is stored.
import { equalSecrets, hmac, randomId, randomToken, sha256Hex, toBase64Url } from "../crypto.ts";
import { ApiError } from "../errors.ts";
import { NEW_KEY, earlierAnswer } from "./once.ts";
import type { ProjectStore, ShareRow } from "./store.ts";

const SHARES_MAX = 100;
const SECRET_BYTES = 24;

export interface NewShare {
  readonly id: string;
  /** Part of the link: the project's id and the secret. */
  readonly token: string;
  readonly expiresAt: number | null;
  readonly embed: readonly string[] | null;
}

export type ListedShare = Omit<ShareRow, "secret_sha256">;

/** expiresInS: null for no end. embed: sites that may show the scene in a frame, none for any site; null: no site may. */
export interface ShareTerms {
  readonly expiresInS: number | null;
  readonly embed: readonly string[] | null;
}

export class ShareBook {
  readonly #store: ProjectStore;

  constructor(store: ProjectStore) {
    this.#store = store;
  }

  /** onceKey: the same key again gets the same link; its secret is derived from the key and a hook key, so it need not be stored. */
  async create(projectId: string, terms: ShareTerms, onceKey: string | null, hookKeys: readonly string[]): Promise<NewShare> {
    if (onceKey === null) return this.#add(projectId, randomToken(SECRET_BYTES), terms);
    // Links without embedding are remembered as older versions did.
    const asked = terms.embed === null ? String(terms.expiresInS) : JSON.stringify([terms.expiresInS, terms.embed]);
    const secrets = await Promise.all(hookKeys.map((key) => derivedSecret(key, `share\n${projectId}\n${onceKey}`)));
    const earlier = earlierAnswer(this.#store, "share", onceKey, asked);
    if (earlier !== null) return this.#find(projectId, earlier, secrets);
    const share = await this.#add(projectId, secrets[0] ?? "", terms);
    this.#store.remember("share", onceKey, { asked, answer: share.id }, Date.now());
    return share;
  }

  list(): ListedShare[] {
    return this.#store.shares(Date.now()).map(({ secret_sha256: _secret, ...listed }) => listed);
  }

  revoke(id: string): void {
    if (!this.#store.deleteShare(id)) throw new ApiError("NOT_FOUND", `This project has no share link "${id}".`);
  }

  /** The link of that secret; counted: somebody opens it now. Throws NOT_FOUND unless it works now. */
  async open(secret: string, counted: boolean): Promise<ListedShare> {
    const digest = await sha256Hex(secret);
    for (const share of this.#store.row === undefined ? [] : this.#store.shares(Date.now())) {
      if (!(await equalSecrets(share.secret_sha256, digest))) continue;
      if (counted) this.#store.countView(share.id);
      return share;
    }
    throw new ApiError("NOT_FOUND", "This link is invalid or has expired.");
  }

  async #add(projectId: string, secret: string, { expiresInS, embed }: ShareTerms): Promise<NewShare> {
    const digest = await sha256Hex(secret);
    const now = Date.now();
    if (this.#store.shares(now).length >= SHARES_MAX) {
      throw new ApiError("CONFLICT", `This project has ${SHARES_MAX} share links, the most allowed.`, { hint: "Revoke one first." });
    }
    const id = randomId("s", 10);
    const expiresAt = expiresInS === null ? null : now + expiresInS * 1000;
    this.#store.addShare({ id, secret_sha256: digest, created_at: now, expires_at: expiresAt, embed });
    return { id, token: `${projectId}.${secret}`, expiresAt, embed };
  }

  /** The link of that id again. Throws CONFLICT if it has ended, or was made with a hook key that is no longer there. */
  async #find(projectId: string, id: string, secrets: readonly string[]): Promise<NewShare> {
    const share = this.#store.shares(Date.now()).find((one) => one.id === id);
    if (share === undefined) throw new ApiError("CONFLICT", "The link of this Idempotency-Key was revoked or has expired.", { hint: NEW_KEY });
    for (const secret of secrets) {
      if ((await sha256Hex(secret)) === share.secret_sha256) return { id, token: `${projectId}.${secret}`, expiresAt: share.expires_at, embed: share.embed };
    }
    throw new ApiError("CONFLICT", "The link of this Idempotency-Key cannot be shown again: the hook keys were rotated since.", { hint: NEW_KEY });
  }
}

async function derivedSecret(keyBase64: string, seed: string): Promise<string> {
  const mac = await hmac(keyBase64, `splat-derived-v1\n${seed}`);
  return toBase64Url(new Uint8Array(mac).subarray(0, SECRET_BYTES));
}
