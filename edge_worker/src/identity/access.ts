// Cloudflare Access: whether a request's assertion is genuine, for this application, and now; and whose it is.
// Access stands in front, and its word is checked again here: a request that reaches the Worker past it opens nothing.
import * as z from "zod/mini";

import { fromBase64Url } from "../crypto.ts";
import type { AccessSettings } from "../settings.ts";

export const ASSERTION_HEADER = "cf-access-jwt-assertion";

const CLOCK_LEEWAY_S = 30;
const KEYS_FRESH_MS = 60 * 60_000;
/** An unknown key id makes us look again, but not more often than this: ids are the caller's to choose. */
const KEYS_RETRY_MS = 60_000;
const TIMEOUT_MS = 5_000;
const ASSERTION_LENGTH_MAX = 8192;

const HeaderSchema = z.object({ alg: z.literal("RS256"), kid: z.string() });
const ClaimsSchema = z.object({
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: z.number(),
  nbf: z.optional(z.number()),
  email: z.optional(z.string()),
  /** A service token has no e-mail address but this name. */
  common_name: z.optional(z.string()),
});
const KeysSchema = z.object({
  keys: z.array(z.looseObject({ kid: z.string(), kty: z.literal("RSA"), n: z.string(), e: z.string() })),
});

interface KnownKeys {
  readonly at: number;
  readonly keys: ReadonlyMap<string, CryptoKey>;
}
const known = new Map<string, KnownKeys>();

/** The lower-case e-mail address or service name that Access vouches for, or null. Throws only if Access cannot be asked. */
export async function readAssertion(assertion: string, access: AccessSettings, now: number, fetcher: typeof fetch = fetch): Promise<string | null> {
  const parts = assertion.split(".");
  const [headText = "", claimsText = "", signatureText = ""] = parts;
  if (parts.length !== 3 || assertion.length > ASSERTION_LENGTH_MAX) return null;
  const head = HeaderSchema.safeParse(decode(headText));
  const claims = ClaimsSchema.safeParse(decode(claimsText));
  const signature = decodeBytes(signatureText);
  if (!head.success || !claims.success || signature === null) return null;
  const key = await findKey(head.data.kid, access.team, now, fetcher);
  if (key === undefined) return null;
  const signed = new TextEncoder().encode(`${headText}.${claimsText}`);
  if (!(await crypto.subtle.verify("RSASSA-PKCS1-v1_5", key, signature, signed))) return null;
  return fits(claims.data, access, now / 1000) ? (claims.data.email ?? claims.data.common_name ?? "").toLowerCase() || null : null;
}

function fits({ iss, aud, exp, nbf }: z.infer<typeof ClaimsSchema>, access: AccessSettings, nowS: number): boolean {
  const audiences = typeof aud === "string" ? [aud] : aud;
  return iss === access.team && audiences.includes(access.aud) && nowS < exp + CLOCK_LEEWAY_S && (nbf === undefined || nowS > nbf - CLOCK_LEEWAY_S);
}

async function findKey(kid: string, team: string, now: number, fetcher: typeof fetch): Promise<CryptoKey | undefined> {
  const before = known.get(team);
  const age = before === undefined ? Number.POSITIVE_INFINITY : now - before.at;
  const fresh = before !== undefined && age < KEYS_FRESH_MS;
  if (fresh && (before.keys.has(kid) || age < KEYS_RETRY_MS)) return before.keys.get(kid);
  const response = await fetcher(`${team}/cdn-cgi/access/certs`, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "manual" });
  const parsed = KeysSchema.safeParse(response.ok ? await response.json() : null);
  if (!parsed.success) throw new Error(`Access's keys cannot be read (${response.status})`);
  const keys = new Map<string, CryptoKey>();
  for (const { kid: id, kty, n, e } of parsed.data.keys) {
    keys.set(id, await crypto.subtle.importKey("jwk", { kty, n, e, alg: "RS256" }, { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, false, ["verify"]));
  }
  known.set(team, { at: now, keys });
  return keys.get(kid);
}

function decode(text: string): unknown {
  const bytes = decodeBytes(text);
  if (bytes === null) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch {
    return undefined;
  }
}

function decodeBytes(text: string): Uint8Array<ArrayBuffer> | null {
  return /^[A-Za-z0-9_-]+$/.test(text) && text.length % 4 !== 1 ? fromBase64Url(text) : null;
}
