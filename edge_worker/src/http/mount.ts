// From a table of endpoints to routes: who may call, what is read, what is answered, in one place.
// Handlers see checked values only; every error leaves in the one envelope.
import type { Context, Hono } from "hono";
import type * as z from "zod/mini";

import type { Scope } from "../../shared/scopes.ts";
import { join } from "../body.ts";
import type { Env } from "../env.ts";
import { ApiError, errorResponse } from "../errors.ts";
import { authenticate, requireOwnOrigin, requireScope, type Identity } from "../identity/auth.ts";
import { settingsOf, type Settings } from "../settings.ts";

export type App = Hono<{ Bindings: Env }>;
export type Ctx = Context<{ Bindings: Env }>;

/** `any`: signed in, with any scope. `capability`: the address itself is the proof. */
export type Access = Scope | "any" | "none" | "capability";
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** Answers without asking who calls. */
export interface OpenEndpoint {
  readonly method: "GET";
  readonly path: string;
  readonly summary: string;
  readonly answers: Endpoint["answers"];
  readonly handle: (c: Ctx) => Response | Promise<Response>;
}

export interface Call<Query, Body> {
  readonly c: Ctx;
  readonly env: Env;
  readonly settings: Settings;
  /** Present unless the access is `none` or `capability`. */
  readonly identity: Identity | null;
  readonly query: Query;
  readonly body: Body;
  /** A path parameter; empty text if the path has none of that name. */
  readonly param: (name: string) => string;
  /** The Idempotency-Key after its caller's digest, so that two callers can use the same key; null if there is none. */
  readonly idempotencyKey: string | null;
  /** The If-Match header, null if there is none. */
  readonly ifMatch: string | null;
  readonly now: number;
}

export interface Endpoint<Query = unknown, Body = unknown> {
  readonly method: Method;
  /** In hono's form: /api/projects/:id */
  readonly path: string;
  readonly access: Access;
  readonly summary: string;
  readonly query?: z.ZodMiniType<Query>;
  readonly body?: z.ZodMiniType<Body>;
  /** Bytes that the body may have, where that is more than usual. */
  readonly bodyBytesMax?: number;
  /** The body may be absent. */
  readonly bodyOptional?: boolean;
  /** Accepts an Idempotency-Key. */
  readonly idempotent?: boolean;
  /** A page shows many of them at once: members' calls do not count against their rate. */
  readonly manyAtOnce?: boolean;
  /** Honours If-Match. */
  readonly conditional?: boolean;
  /** status -> schema of the JSON, or a description of what is not JSON. */
  readonly answers: Readonly<Record<number, z.ZodMiniType | string>>;
  readonly handle: (call: Call<Query, Body>) => Promise<Response>;
}

/** Keeps the types of query and body together with the handler. */
export function endpoint<Query = undefined, Body = undefined>(definition: Endpoint<Query, Body>): Endpoint {
  return definition as unknown as Endpoint;
}

const BODY_BYTES_MAX = 64 * 1024;
// As much as the largest body of any route; reading it costs a few milliseconds.
const REFUSED_BYTES_READ_MAX = 4 * 1024 * 1024;

export function mount(app: App, endpoints: readonly Endpoint[], open: readonly OpenEndpoint[]): void {
  for (const one of endpoints) app.on(one.method, one.path, (c) => serve(c, one));
  for (const one of open) app.get(one.path, one.handle);
  const all = [...endpoints, ...open];
  for (const path of new Set(all.map((one) => one.path))) {
    const allowed = all.filter((one) => one.path === path).map(({ method }) => method);
    const allow = [...allowed, ...(allowed.includes("GET") ? ["HEAD"] : [])].join(", ");
    app.all(path, (c) => {
      throw new ApiError("METHOD_NOT_ALLOWED", `${c.req.method} is not allowed here. Use ${allow}.`, { headers: { allow } });
    });
  }
}

async function serve(c: Ctx, one: Endpoint): Promise<Response> {
  const settings = settingsOf(c.env);
  const now = Date.now();
  const signedIn = one.access !== "none" && one.access !== "capability";
  // The rate of strangers is limited by address before anything is computed for them, of members by identity.
  const identity = signedIn ? await identify(c, settings, now) : null;
  if (identity === null || one.manyAtOnce !== true) await limitRate(c, identity);
  if (identity !== null) {
    if (one.access !== "any") requireScope(identity, one.access as Scope);
    if (one.method !== "GET" || isWebSocket(c)) requireOwnOrigin(c, identity, settings);
  }
  const query = one.query === undefined ? undefined : check(one.query, c.req.query(), "query");
  const body = one.body === undefined ? undefined : await readBody(c, one.body, one.bodyOptional === true, one.bodyBytesMax);
  const param = (name: string): string => c.req.param(name) ?? "";
  const onceKey = one.idempotent === true ? readIdempotencyKey(c) : null;
  const idempotencyKey = onceKey === null ? null : `${identity?.tokenSha256}\n${onceKey}`;
  return one.handle({ c, env: c.env, settings, identity, query, body, param, idempotencyKey, ifMatch: one.conditional === true ? (c.req.header("if-match") ?? null) : null, now });
}

function readIdempotencyKey(c: Ctx): string | null {
  const key = c.req.header("idempotency-key");
  if (key === undefined) return null;
  if (!/^[\x21-\x7e]{1,200}$/.test(key)) throw new ApiError("BAD_REQUEST", "header.idempotency-key: 1 to 200 visible ASCII characters");
  return key;
}

async function identify(c: Ctx, settings: Settings, now: number): Promise<Identity> {
  try {
    return await authenticate(c, settings, now);
  } catch (error) {
    await limitRate(c, null);
    throw error;
  }
}

export function notConfigured(problems: readonly string[]): ApiError {
  return new ApiError("NOT_CONFIGURED", `The service is not configured: ${problems.join("; ")}.`, {
    hint: "If you run this service, set what is missing with `pulumi config set`, then run `pulumi up`.",
  });
}

/** identity null: a stranger, by network. */
export async function limitRate(c: Ctx, identity: Identity | null): Promise<void> {
  const key = identity === null ? `address:${networkOf(c.req.header("cf-connecting-ip") ?? "")}` : `identity:${identity.tokenSha256}`;
  const { success } = await c.env.RATE_LIMIT.limit({ key });
  if (!success) {
    throw new ApiError("TOO_MANY_REQUESTS", "Too many requests.", { hint: "Wait 10 seconds.", headers: { "retry-after": "10" } });
  }
}

/** An IPv4 address, or the /64 of an IPv6 address: one household has that many addresses to send from. */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail = ""] = address.toLowerCase().split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === "" ? [] : tail.split(":");
  const zeros = address.includes("::") ? Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0") : [];
  return [...left, ...zeros, ...right].slice(0, 4).map((group) => group.replace(/^0+(?=.)/, "")).join(":");
}

function isWebSocket(c: Ctx): boolean {
  return c.req.header("upgrade")?.toLowerCase() === "websocket";
}

async function readBody<T>(c: Ctx, schema: z.ZodMiniType<T>, optional: boolean, bytesMax = BODY_BYTES_MAX): Promise<T> {
  const text = await readText(c.req.raw, bytesMax);
  if (text === "" && optional) return check(schema, {}, "body");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ApiError("BAD_REQUEST", "The request body is not JSON.");
  }
  return check(schema, value, "body");
}

/**
 * The body as text. Rejects one over the limit, by its real length. Of a body that is too large, some more is read and
 * discarded: an answer in mid-body ends the connection, and its sender may see that before the reason.
 */
export async function readText(request: Request, bytesMax: number): Promise<string> {
  const readMax = Math.max(bytesMax, REFUSED_BYTES_READ_MAX);
  if (Number(request.headers.get("content-length") ?? 0) > readMax) throw tooLarge(bytesMax);
  if (request.body === null) return "";
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request.body as ReadableStream<Uint8Array>) {
      bytes += chunk.byteLength;
      if (bytes > readMax) throw tooLarge(bytesMax);
      if (bytes <= bytesMax) chunks.push(chunk);
    }
  } catch (error) {
    // A client that disconnects in mid-body is no error of ours.
    throw error instanceof ApiError ? error : new ApiError("BAD_REQUEST", "The request body was interrupted.");
  }
  if (bytes > bytesMax) throw tooLarge(bytesMax);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(join(chunks, bytes));
  } catch {
    throw new ApiError("BAD_REQUEST", "The request body is not UTF-8 text.");
  }
}

function tooLarge(bytesMax: number): ApiError {
  return new ApiError("TOO_LARGE", `The request body is larger than ${bytesMax} bytes.`);
}

function check<T>(schema: z.ZodMiniType<T>, value: unknown, where: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = [where, ...(issue?.path ?? [])].map(String).join(".");
  throw new ApiError("BAD_REQUEST", `${path}: ${issue?.message ?? "not valid"}`);
}

/** The answer to anything thrown: our own errors as they are, anything else as INTERNAL without details. */
export function packError(error: unknown, c: Ctx): Response {
  return error instanceof ApiError ? error.toResponse() : internal(error, c);
}

function internal(error: unknown, c: Ctx): Response {
  // The route's pattern, not the path: capabilities and login codes are part of paths.
  console.error(`${c.req.method} ${c.req.routePath}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return errorResponse({ code: "INTERNAL", message: "Something went wrong on our side.", hint: "Try again. If it happens again, contact whoever runs this service." });
}
