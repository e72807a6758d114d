// Standard Webhooks signatures (standardwebhooks.com, v1): HMAC-SHA256 over id.timestamp.body.
// Verifies only; several signatures may be given, one that fits is enough.
import { fromBase64, verifyHmac } from "../crypto.ts";

const TOLERANCE_S = 5 * 60;
const SECRET_FORM = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
const MAC_FORM = /^[A-Za-z0-9+/]{43}=$/;

export type SignatureVerdict = "ok" | "missing" | "stale" | "forged";

/** headers: webhook-id, webhook-timestamp (s), webhook-signature; body: the exact text; now: ms. */
export async function verifySignedMessage(secret: string, headers: Headers, body: string, now: number): Promise<SignatureVerdict> {
  const id = headers.get("webhook-id");
  const timestamp = headers.get("webhook-timestamp");
  const signatures = headers.get("webhook-signature");
  if (!id || !timestamp || !signatures || !/^[0-9]{1,12}$/.test(timestamp)) return "missing";
  if (Math.abs(now / 1000 - Number(timestamp)) > TOLERANCE_S) return "stale";
  const key = SECRET_FORM.exec(secret)?.[1];
  if (key === undefined) return "forged";
  for (const signature of signatures.split(" ").slice(0, 5)) {
    const [version, mac = ""] = signature.split(",");
    if (version !== "v1" || !MAC_FORM.test(mac)) continue;
    if (await verifyHmac(key, `${id}.${timestamp}.${body}`, fromBase64(mac))) return "ok";
  }
  return "forged";
}
