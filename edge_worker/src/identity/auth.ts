// Who is calling: bearer token, session cookie or Cloudflare Access, and what they may do.
// Tokens are stored by their SHA-256 only; a cookie works only for requests from our own pages.
import type { Context } from "hono";
import { getCookie } from "hono/cookie";

import { allows, type Scope } from "../../shared/scopes.ts";
import { fromBase64Url, hmac, sha256Hex, toBase64Url, verifyHmac } from "../crypto.ts";
import { ApiError } from "../errors.ts";
import type { ApiToken, Settings } from "../settings.ts";
import { ASSERTION_HEADER, readAssertion } from "./access.ts";

export interface Identity {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly via: "token" | "session" | "access";
  /** Tells callers apart: the digest of the token (of a session, the token that it was made with), or of the name from Access. */
  readonly tokenSha256: string;
  /** ms since 1970; null: no end. */
  readonly expiresAt: number | null;
}

/** How long a browser stays signed in. */
export const SESSION_S = 7 * 24 * 3600;
const BEARER = /^Bearer ([\x21-\x7e]{8,512})$/i;

/** The caller, or an UNAUTHENTICATED error. A valid cookie does not make up for a bad bearer token. */
export async function authenticate(c: Context, settings: Settings, now: number): Promise<Identity> {
  const header = c.req.header("authorization");
  if (header !== undefined) {
    const token = BEARER.exec(header)?.[1];
    const known = token === undefined ? undefined : findToken(settings.tokens, await sha256Hex(token), now);
    if (known === undefined) throw new ApiError("UNAUTHENTICATED", "This bearer token is unknown or has expired.");
    return { name: known.name, scopes: known.scopes, via: "token", tokenSha256: known.sha256, expiresAt: expiryOf(known) };
  }
  const vouched = await readAccess(c, settings, now);
  if (vouched !== null) return vouched;
  const cookie = getCookie(c, cookieName(settings));
  const identity = cookie === undefined ? null : await readSession(cookie, settings, now);
  if (identity === null) {
    throw new ApiError("UNAUTHENTICATED", "Sign in first, or send a bearer token.", {
      hint: "Run `splat open` to sign in a browser. Scripts send `Authorization: Bearer <token>`.",
    });
  }
  return identity;
}

async function readAccess(c: Context, { access }: Settings, now: number): Promise<Identity | null> {
  const assertion = c.req.header(ASSERTION_HEADER);
  if (access === null || assertion === undefined) return null;
  const name = await readAssertion(assertion, access, now).catch((error: unknown) => {
    console.error(String(error));
    throw new ApiError("UPSTREAM", "Your sign-in could not be checked: Cloudflare Access did not send its keys.", { hint: "Try again in a minute." });
  });
  if (name === null) throw new ApiError("UNAUTHENTICATED", "This Cloudflare Access sign-in is not valid for this application.");
  const isOperator = access.operators.some((one) => one.toLowerCase() === name);
  const scope = isOperator ? "operate" : access.others;
  if (scope === null) throw new ApiError("FORBIDDEN", `"${name}" has no access to this service.`, { hint: "Ask whoever runs it to add you." });
  return { name, scopes: [scope], via: "access", tokenSha256: await sha256Hex(`access\n${name}`), expiresAt: null };
}

export function requireScope(identity: Identity, scope: Scope): void {
  if (allows(identity.scopes, scope)) return;
  throw new ApiError("FORBIDDEN", `This call needs the scope "${scope}". "${identity.name}" has ${identity.scopes.join(", ")}.`);
}

/**
 * Rejects what another site makes a signed-in browser send. Browsers add cookies by themselves, Access's too, but
 * no bearer token. Our own pages are at the request's host or at WORKER_URL.
 */
export function requireOwnOrigin(c: Context, identity: Identity, settings: Settings): void {
  const origin = c.req.header("origin");
  // No page can add a bearer token to a websocket, so a foreign page's origin beside a token is an error.
  if (identity.via === "token" && (origin === undefined || c.req.header("upgrade") === undefined)) return;
  const own = [new URL(c.req.url).origin, new URL(settings.workerUrl).origin];
  if (origin === undefined || !own.includes(origin)) {
    throw new ApiError("FORBIDDEN", "This request comes from another site. A signed-in browser can change things only from the app's own pages.");
  }
}

function findToken(tokens: readonly ApiToken[], digest: string, now: number): ApiToken | undefined {
  // Compares digests of guesses, so its time reveals nothing about a token.
  const known = tokens.find(({ sha256 }) => sha256 === digest);
  if (known === undefined || now >= (expiryOf(known) ?? Number.POSITIVE_INFINITY)) return undefined;
  return known;
}

function expiryOf({ expires_at }: ApiToken): number | null {
  return expires_at ? Date.parse(expires_at) : null;
}

/** __Host- needs https; the local stack is served over http on the loopback address. */
export function cookieName(settings: Pick<Settings, "workerUrl">): string {
  return settings.workerUrl.startsWith("https://") ? "__Host-session" : "session";
}

/** Attributes of the session's cookie; __Host- cookies are set and cleared with Secure only. */
export function cookieTerms(settings: Pick<Settings, "workerUrl">, maxAgeS: number): string {
  return `Path=/; HttpOnly; SameSite=Lax; Max-Age=${maxAgeS}${settings.workerUrl.startsWith("https://") ? "; Secure" : ""}`;
}

interface SessionClaims {
  readonly name: string;
  readonly token: string;
  /** s since 1970. */
  readonly exp: number;
}

export async function issueSession(
  who: { readonly name: string; readonly tokenSha256: string },
  settings: Settings,
  now: number,
): Promise<string> {
  const [key] = settings.hookKeys;
  if (key === undefined) throw new Error("HOOK_KEYS holds no key");
  const claims: SessionClaims = { name: who.name, token: who.tokenSha256, exp: Math.floor(now / 1000) + SESSION_S };
  const body = toBase64Url(new TextEncoder().encode(JSON.stringify(claims)));
  return `${body}.${toBase64Url(await hmac(key, sessionText(body)))}`;
}

async function readSession(cookie: string, settings: Settings, now: number): Promise<Identity | null> {
  const match = /^([A-Za-z0-9_-]{1,2048})\.([A-Za-z0-9_-]{43})$/.exec(cookie);
  if (match === null) return null;
  const [, body = "", mac = ""] = match;
  const [macBytes, bodyBytes] = [fromBase64Url(mac), fromBase64Url(body)];
  if (macBytes === null || bodyBytes === null) return null;
  const genuine = await Promise.all(settings.hookKeys.map((key) => verifyHmac(key, sessionText(body), macBytes)));
  if (!genuine.includes(true)) return null;
  const claims = JSON.parse(new TextDecoder().decode(bodyBytes)) as SessionClaims;
  if (now >= claims.exp * 1000) return null;
  // The token's scopes as they are now: a session never has more than its token.
  const behind = findToken(settings.tokens, claims.token, now);
  if (behind === undefined) return null;
  const expiresAt = Math.min(claims.exp * 1000, expiryOf(behind) ?? Number.POSITIVE_INFINITY);
  return { name: claims.name, scopes: behind.scopes, via: "session", tokenSha256: claims.token, expiresAt };
}

function sessionText(body: string): string {
  return `splat-session-v1\n${body}`;
}
