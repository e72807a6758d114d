// Cloudflare Access: whether a request's assertion is genuine, for this application and valid now, and whose it is.
// Access stands in front, but the assertion is checked again here: a request that reaches the Worker past Access gets nothing.
import { createRemoteJWKSet, customFetch, errors, jwtVerify, type JWTVerifyGetKey } from "jose";

import type { AccessSettings } from "../settings.ts";

export const ASSERTION_HEADER = "cf-access-jwt-assertion";

const ASSERTION_LENGTH_MAX = 8192;
const CLOCK_LEEWAY_S = 30;
const KEYS = {
  cacheMaxAge: 60 * 60_000,
  /** An unknown key id makes us fetch the keys again, but not more often than this: the caller chooses the id. */
  cooldownDuration: 60_000,
  timeoutDuration: 5_000,
} as const;
/** Errors of the key server; all others of the library are about the assertion. */
const KEY_ERRORS: readonly string[] = [errors.JOSEError.code, errors.JWKSInvalid.code, errors.JWKSTimeout.code];

const keySets = new Map<string, JWTVerifyGetKey>();

/** The lower-case e-mail address or service name that Access vouches for, or null. Throws only if Access's keys cannot be fetched. */
export async function readAssertion(assertion: string, access: AccessSettings, now: number, fetcher: typeof fetch = (input, init) => fetch(input, init)): Promise<string | null> {
  if (assertion.length > ASSERTION_LENGTH_MAX) return null;
  try {
    const { payload } = await jwtVerify(assertion, keysOf(access.team, fetcher), {
      algorithms: ["RS256"],
      issuer: access.team,
      audience: access.aud,
      requiredClaims: ["exp"],
      clockTolerance: CLOCK_LEEWAY_S,
      currentDate: new Date(now),
    });
    // A service token has no e-mail address but a common name.
    const name = payload["email"] ?? payload["common_name"];
    return typeof name === "string" ? name.toLowerCase() || null : null;
  } catch (error) {
    if (error instanceof errors.JOSEError && !KEY_ERRORS.includes(error.code)) return null;
    throw error;
  }
}

function keysOf(team: string, fetcher: typeof fetch): JWTVerifyGetKey {
  const known = keySets.get(team);
  if (known !== undefined) return known;
  const keys = createRemoteJWKSet(new URL(`${team}/cdn-cgi/access/certs`), {
    ...KEYS,
    [customFetch]: async (url, init) => {
      const response = await fetcher(url, init);
      if (!response.ok) throw new Error(`Access answered ${response.status} for its keys`);
      return response;
    },
  });
  keySets.set(team, keys);
  return keys;
}
