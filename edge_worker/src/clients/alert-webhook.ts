// Sends a text to the receiver of alerts, signed as Standard Webhooks (standardwebhooks.com).
// Never logs or returns the address, which is a secret, and follows no redirect.
import { Webhook } from "standardwebhooks";

import { hmac, toBase64 } from "../crypto.ts";
import type { Settings } from "../settings.ts";

const TIMEOUT_MS = 10_000;
/** A receiver that asks for more patience than this is asked again anyway. */
const RETRY_AFTER_MAX_S = 3600;

export interface Sent {
  readonly ok: boolean;
  /** For operators. */
  readonly detail: string;
  readonly retryAfterMs: number;
}

/** What signs alerts, current key first: receivers accept either while the hook keys are rotated. */
export function signingSecrets(hookKeys: readonly string[]): Promise<string[]> {
  return Promise.all(hookKeys.map(async (key) => `whsec_${toBase64(await hmac(key, "alerts"))}`));
}

/** id: the same in every try, so that a receiver can ignore repetitions. now: ms. Never throws. */
export async function sendAlert(url: URL, hookKeys: Settings["hookKeys"], id: string, body: string, now: number): Promise<Sent> {
  const secrets = await signingSecrets(hookKeys);
  const signature = secrets.map((secret) => new Webhook(secret).sign(id, new Date(now), body)).join(" ");
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": "photo-splat-edge",
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(now / 1000)),
        "webhook-signature": signature,
      },
      body,
      redirect: "manual",
      signal: limit.signal,
    });
    await response.body?.cancel();
    if (response.ok) return { ok: true, detail: `${url.hostname} accepted it.`, retryAfterMs: 0 };
    const asked = Number(response.headers.get("retry-after") ?? 0);
    const retryAfterMs = Number.isFinite(asked) ? Math.min(Math.max(0, asked), RETRY_AFTER_MAX_S) * 1000 : 0;
    return { ok: false, detail: `${url.hostname} answered ${response.status}.`, retryAfterMs };
  } catch {
    return { ok: false, detail: `${url.hostname} did not answer.`, retryAfterMs: 0 };
  } finally {
    clearTimeout(timer);
  }
}
