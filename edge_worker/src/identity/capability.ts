// Capabilities: project, attempt, nonce and expiry under an HMAC, as part of a hook's address. Each is for one attempt.
// Verified before any object is touched; a capability is never logged.
import { fromBase64Url, hmac, toBase64Url, verifyHmac } from "../crypto.ts";

/** What the holder may do; part of the signed text, so that one kind never passes for the other. */
export type Purpose = "hook-runpod" | "hook-progress";

export interface Grant {
  readonly projectId: string;
  readonly attempt: number;
  /** Stored with the attempt: a grant of an older attempt opens nothing. */
  readonly nonce: string;
  /** ms since 1970. */
  readonly expiresAt: number;
}

const FORM = /^v1\.(p_[0-9a-z]{16})\.([1-9][0-9]{0,8})\.([A-Za-z0-9_-]{22})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})$/;

/** hookKeys: the current key comes first and signs. */
export async function issue(purpose: Purpose, grant: Grant, hookKeys: readonly string[]): Promise<string> {
  const [key] = hookKeys;
  if (key === undefined) throw new Error("HOOK_KEYS holds no key");
  const expiresS = Math.ceil(grant.expiresAt / 1000);
  const mac = await hmac(key, signedText(purpose, grant.projectId, grant.attempt, grant.nonce, expiresS));
  return `v1.${grant.projectId}.${grant.attempt}.${grant.nonce}.${expiresS}.${toBase64Url(mac)}`;
}

export type Verdict = { readonly ok: true; readonly grant: Grant } | { readonly ok: false; readonly reason: "malformed" | "forged" | "expired" };

/** Checks form, MAC (any of the keys) and expiry, in this order. */
export async function verify(purpose: Purpose, text: string, hookKeys: readonly string[], now: number): Promise<Verdict> {
  const match = FORM.exec(text);
  if (match === null) return { ok: false, reason: "malformed" };
  const [, projectId = "", attemptText = "", nonce = "", expiresText = "", macText = ""] = match;
  const attempt = Number(attemptText);
  const expiresS = Number(expiresText);
  const mac = fromBase64Url(macText);
  if (mac === null) return { ok: false, reason: "malformed" };
  const message = signedText(purpose, projectId, attempt, nonce, expiresS);
  const checks = await Promise.all(hookKeys.map((key) => verifyHmac(key, message, mac)));
  if (!checks.includes(true)) return { ok: false, reason: "forged" };
  if (now >= expiresS * 1000) return { ok: false, reason: "expired" };
  return { ok: true, grant: { projectId, attempt, nonce, expiresAt: expiresS * 1000 } };
}

function signedText(purpose: Purpose, projectId: string, attempt: number, nonce: string, expiresS: number): string {
  return ["splat-capability-v1", purpose, projectId, attempt, nonce, expiresS].join("\n");
}
