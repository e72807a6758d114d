// The Worker as a whole where only other bindings than the usual ones show it: Access in front, https, nothing configured, trouble.
// Its own fetch handler is called; keys of Access are served by a scripted fetch.
import { createExecutionContext, env as bound } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { toBase64Url } from "../../src/crypto.ts";
import type { Env } from "../../src/env.ts";
import worker from "../../src/index.ts";
import { PAGE_PATHS } from "../../src/routes/pages.ts";

const TEAM = "https://team.cloudflareaccess.com";
const AUD = "audience-tag";
const ACCESS = { team: TEAM, aud: AUD, operators: ["Ada@Example.org"], others: "view" };
const env = bound as unknown as Env;

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string } | undefined;
  readonly json: Record<string, unknown>;
}

async function call(path: string, { method = "GET", headers = {}, change = {} }: { method?: string; headers?: Record<string, string>; change?: object } = {}): Promise<Reply> {
  const request = new Request(`https://app.example${path}`, { method, headers, redirect: "manual" });
  const response = await worker.fetch(request, { ...env, ...change } as Env, createExecutionContext());
  const json = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  return { status: response.status, headers: response.headers, error: json["error"] as Reply["error"], json };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("behind Cloudflare Access", () => {
  let pair: CryptoKeyPair;
  beforeAll(async () => {
    const algorithm = { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" };
    pair = (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair;
  });

  /** A call of somebody whom Access vouches for, to an installation with these settings. */
  async function as(email: string, path: string, { method = "GET", access = ACCESS as object, headers = {}, change = {} } = {}): Promise<Reply> {
    const jwk = await crypto.subtle.exportKey("jwk", pair.publicKey);
    vi.spyOn(globalThis, "fetch").mockImplementation(async () => Response.json({ keys: [{ ...jwk, kid: "k1" }] }));
    const text = (value: object): string => toBase64Url(new TextEncoder().encode(JSON.stringify(value)));
    const body = `${text({ alg: "RS256", kid: "k1" })}.${text({ iss: TEAM, aud: [AUD], exp: Date.now() / 1000 + 60, email })}`;
    const signature = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", pair.privateKey, new TextEncoder().encode(body));
    const assertion = `${body}.${toBase64Url(signature)}`;
    return call(path, { method, headers: { "cf-access-jwt-assertion": assertion, ...headers }, change: { API_TOKENS: "[]", ACCESS: JSON.stringify(access), ...change } });
  }

  test("an operator may operate, everybody else has the stack's scope", async () => {
    expect((await as("ada@example.org", "/api/session")).json).toEqual({ name: "ada@example.org", scopes: ["operate"] });
    expect((await as("bob@example.org", "/api/session")).json).toEqual({ name: "bob@example.org", scopes: ["view"] });
    expect((await as("bob@example.org", "/api/metrics")).status).toBe(403);
    const closed = await as("bob@example.org", "/api/session", { access: { ...ACCESS, others: null } });
    expect([closed.status, closed.error?.code]).toEqual([403, "FORBIDDEN"]);
  });

  test("changes must come from our own pages, since browsers add Access's cookie by themselves", async () => {
    const path = "/api/projects/p_0000000000000000";
    const from = async (origin: string | null): Promise<number> => (await as("ada@example.org", path, { method: "DELETE", headers: origin === null ? {} : { origin } })).status;
    expect([await from("https://app.example"), await from("https://evil.example"), await from(null)]).toEqual([404, 403, 403]);
  });

  test("a sign-in link is refused, with what to do instead", async () => {
    const answer = await as("ada@example.org", "/api/login-links", { method: "POST", headers: { origin: "https://app.example" } });
    expect([answer.status, answer.error?.hint]).toEqual([409, "Add them to the Access policy."]);
  });

  test("an assertion for another application is rejected, and no cookie makes up for it", async () => {
    const answer = await as("ada@example.org", "/api/session", { access: { ...ACCESS, aud: "another" } });
    expect([answer.status, answer.error?.code]).toEqual([401, "UNAUTHENTICATED"]);
  });

  test("an unreachable Access is reported", async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const team = "https://down.cloudflareaccess.com";
    vi.spyOn(globalThis, "fetch").mockImplementation(async () => new Response(null, { status: 503 }));
    const part = toBase64Url(new TextEncoder().encode(JSON.stringify({ alg: "RS256", kid: "k1" })));
    const claims = toBase64Url(new TextEncoder().encode(JSON.stringify({ iss: team, aud: [AUD], exp: Date.now() / 1000 + 60 })));
    const answer = await call("/api/session", {
      headers: { "cf-access-jwt-assertion": `${part}.${claims}.${"A".repeat(342)}` },
      change: { ACCESS: JSON.stringify({ ...ACCESS, team }) },
    });
    expect([answer.status, answer.error?.code, answer.error?.hint]).toEqual([502, "UPSTREAM", "Try again in a minute."]);
  });

  test("where it is not set, its header is ignored", async () => {
    expect((await call("/api/session", { headers: { "cf-access-jwt-assertion": "a.b.c" } })).status).toBe(401);
  });
});

describe("while nothing is configured", () => {
  test.each([...PAGE_PATHS.map((path) => path.replace("*", "x")), "/login/code", "/api/openapi.json", "/api/projects", "/api/hooks/runpod/x", "/api/shared/x", "/api/nothing"])(
    "%s answers 503 with what is missing and the next step",
    async (path) => {
      const answer = await call(path, { change: { API_TOKENS: "[]" } });
      expect([answer.status, answer.error?.code]).toEqual([503, "NOT_CONFIGURED"]);
      expect(answer.error?.message).toContain("API_TOKENS is empty and ACCESS is not set");
      expect(answer.error?.hint).toContain("pulumi up");
    },
  );

  test("health answers", async () => {
    expect((await call("/api/health", { change: { API_TOKENS: "[]" } })).status).toBe(200);
  });
});

test("over https a sign-out clears the cookie with the attributes that it was set with", async () => {
  const token = "spl_token_of_this_test";
  const digest = [...new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const change = { WORKER_URL: "https://app.example", API_TOKENS: JSON.stringify([{ name: "t", sha256: digest, scopes: ["view"] }]) };
  const { status, headers } = await call("/api/session", { method: "DELETE", headers: { authorization: `Bearer ${token}` }, change });
  expect([status, headers.get("set-cookie")]).toEqual([204, "__Host-session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure"]);
  expect(headers.get("strict-transport-security")).toBe("max-age=31536000");
});

test("an internal error is answered without details and logged without the address", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const broken = { PROJECT: { idFromName: () => { throw new Error("storage of p_secret is gone"); } } };
  const token = `p_0123456789abcdef.${"S".repeat(32)}`;
  const answer = await call(`/api/shared/${token}`, { change: broken });
  expect(answer.json).toEqual({ error: { code: "INTERNAL", message: "Something went wrong on our side.", hint: "Try again. If it happens again, contact whoever runs this service." } });
  expect(answer.headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
  expect(logged).toHaveBeenCalledWith(expect.stringContaining("GET /api/shared/:token: Error: storage"));
  expect(JSON.stringify(logged.mock.calls)).not.toContain(token);
});

test("the hourly event looks at the service and runs the sweep, also where the look fails", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const asked: string[] = [];
  const event = { cron: "17 * * * *", scheduledTime: 0, noRetry: () => undefined, type: "scheduled" } as ScheduledController;
  const withLook = (look: () => Promise<void>): Env => {
    const index = { idFromName: () => "id", get: () => ({ look: () => (asked.push("look"), look()), abandoned: async () => (asked.push("sweep"), []) }) };
    return { ...env, INDEX: index } as unknown as Env;
  };
  await worker.scheduled(event, withLook(async () => undefined));
  await worker.scheduled(event, withLook(() => Promise.reject(new Error("storage is gone"))));
  expect(asked).toEqual(["look", "sweep", "look", "sweep"]);
  expect(logged.mock.calls).toEqual([["hourly event: Error: storage is gone"]]);
});
