// Health, session, settings, and sign-in links: a one-time link sets a browser's cookie.
// A login code is shown once and never logged.
import * as z from "zod/mini";

import { LoginLinkAnswer, SessionAnswer, SettingsAnswer } from "../../shared/contracts/api.ts";
import { PRESETS } from "../../shared/stages.ts";
import { STARTS, type Starts } from "../account/breaker.ts";
import { indexStub } from "../account/stub.ts";
import { pushKeyOf } from "../clients/web-push.ts";
import type { Env } from "../env.ts";
import { ApiError } from "../errors.ts";
import { endpoint, limitRate, type Ctx, type Endpoint, type OpenEndpoint } from "../http/mount.ts";
import { SESSION_S, cookieName, cookieTerms, issueSession } from "../identity/auth.ts";
import { isLoginCode, makeLoginCode } from "../identity/login-code.ts";
import { readSettings, settingsOf } from "../settings.ts";

declare const BUILD_VERSION: string;

const LOGIN_CODE_S = 10 * 60;

export const sessionEndpoints: readonly Endpoint[] = [
  endpoint({
    method: "GET",
    path: "/api/session",
    access: "any",
    summary: "Who is calling, and what they may do",
    answers: { 200: SessionAnswer },
    handle: async ({ c, identity }) => c.json({ name: identity?.name, scopes: identity?.scopes }),
  }),
  endpoint({
    method: "DELETE",
    path: "/api/session",
    access: "any",
    summary: "Sign this browser out",
    answers: { 204: "nothing" },
    handle: async ({ settings }) =>
      new Response(null, { status: 204, headers: { "set-cookie": `${cookieName(settings)}=; ${cookieTerms(settings, 0)}` } }),
  }),
  endpoint({
    method: "POST",
    path: "/api/login-links",
    access: "operate",
    summary: "A link that signs one browser in, once, within ten minutes",
    answers: { 201: LoginLinkAnswer },
    handle: async ({ c, env, settings, identity, now }) => {
      if (identity === null) throw new ApiError("UNAUTHENTICATED", "Nobody is signed in.");
      if (identity.via === "access") {
        throw new ApiError("CONFLICT", "You are signed in through Cloudflare Access. Others sign in there, too.", { hint: "Add them to the Access policy." });
      }
      const code = await makeLoginCode(settings.hookKeys);
      const expiresAt = now + LOGIN_CODE_S * 1000;
      const { name, tokenSha256 } = identity;
      await indexStub(env).addLoginCode(code, { name, tokenSha256 }, expiresAt);
      return c.json({ url: `${settings.workerUrl}/login/${code}`, expires_at: new Date(expiresAt).toISOString() }, 201);
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/settings",
    access: "view",
    summary: "Limits, presets and the price of a job",
    answers: { 200: SettingsAnswer },
    handle: async ({ c, settings }) => {
      const push_key = settings.pushKey === null ? null : (await pushKeyOf(settings.pushKey)).publicKey;
      const { photos_min, photos_max, photo_bytes_max } = settings.limits;
      return c.json({ limits: { photos_min, photos_max, photo_bytes_max }, presets: PRESETS, price: settings.price, push_key });
    },
  }),
];

export const version = BUILD_VERSION;


/** How long an isolate answers from its last look: anybody can ask, and the account has one object. */
const STARTS_FRESH_MS = 10_000;
let lastStarts: { readonly at: number; readonly starts: Starts } | undefined;

/** Whether jobs can start; null: nothing is configured, or the account did not answer. */
async function readStarts(env: Env, now: number): Promise<Starts | null> {
  if (!readSettings(env).ok) return null;
  if (lastStarts !== undefined && now - lastStarts.at < STARTS_FRESH_MS) return lastStarts.starts;
  const starts = await indexStub(env).starts().catch(() => null);
  if (starts !== null) lastStarts = { at: now, starts };
  return starts;
}

export const healthEndpoint: OpenEndpoint = {
  method: "GET",
  path: "/api/health",
  summary: "Whether the Worker runs, with its stack and version, and whether jobs can start",
  answers: { 200: z.object({ status: z.literal("ok"), stack: z.nullable(z.string()), version: z.string(), starts: z.nullable(z.enum(STARTS)) }) },
  handle: async (c) => c.json({ status: "ok", stack: c.env.STACK ?? null, version, starts: await readStarts(c.env, Date.now()) }),
};

/** The one path that answers while nothing is configured. */
export const HEALTH_PATH = healthEndpoint.path;

/** GET /login/<code>: uses up the code, sets the cookie, redirects to the app. Only GET: link previews often send HEAD. */
export async function openLoginLink(c: Ctx): Promise<Response> {
  const settings = settingsOf(c.env);
  const now = Date.now();
  const code = c.req.param("code") ?? "";
  await limitRate(c, null);
  const who = c.req.method === "GET" && (await isLoginCode(code, settings.hookKeys)) ? await indexStub(c.env).takeLoginCode(code) : null;
  if (who === null) return new Response(null, { status: 303, headers: { location: "/?login=expired", "cache-control": "no-store" } });
  const session = await issueSession(who, settings, now);
  return new Response(null, {
    status: 303,
    headers: {
      location: "/",
      "cache-control": "no-store",
      "set-cookie": `${cookieName(settings)}=${session}; ${cookieTerms(settings, SESSION_S)}`,
    },
  });
}
