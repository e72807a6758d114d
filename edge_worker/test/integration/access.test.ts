// Who gets in and how: tokens, one-time links, cookies, share links, websockets, documents; and what everybody else gets.
import { createHash } from "node:crypto";
import { get, type IncomingHttpHeaders } from "node:http";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Cloud, type Answer } from "./support/cloud.ts";
import { ScriptedWorker } from "./support/runpod.ts";
import { newProject, startJob } from "./support/scenes.ts";

let cloud: Cloud;
beforeAll(async () => {
  cloud = await Cloud.start();
});
afterAll(() => cloud.stop());

/** Signs a browser in and returns its Cookie header. */
async function signIn(): Promise<string> {
  const { json } = await cloud.call("POST", "/api/login-links");
  const opened = await fetch(json.url, { redirect: "manual" });
  return (opened.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
}

function asBrowser(cookie: string, headers: Record<string, string> = {}): { as: null; headers: Record<string, string> } {
  return { as: null, headers: { cookie, ...headers } };
}

describe("tokens", () => {
  test("identify their owner", async () => {
    expect((await cloud.call("GET", "/api/session", { as: "view" })).json).toEqual({ name: "view-token", scopes: ["view"] });
  });

  test.each([
    { as: "view", method: "POST", path: "/api/projects", status: 403 },
    { as: "view", method: "GET", path: "/api/projects", status: 200 },
    { as: "upload", method: "GET", path: "/api/metrics", status: 403 },
    { as: "upload", method: "POST", path: "/api/login-links", status: 403 },
    { as: "operate", method: "GET", path: "/api/metrics", status: 200 },
    { as: null, method: "GET", path: "/api/projects", status: 401 },
  ] as const)("$as $method $path is $status", async ({ as, method, path, status }) => {
    expect((await cloud.call(method, path, { as })).status).toBe(status);
  });

  test.each(["Bearer wrong-token-of-some-length", "Bearer ", "Basic dXNlcjpwYXNz", "bearer", "Bearer \u00e4\u00f6\u00fc-not-ascii"])("%s is refused with the error envelope", async (authorization) => {
    const answer = await cloud.call("GET", "/api/projects", { as: null, headers: { authorization } });
    expect([answer.status, answer.json.error.code]).toEqual([401, "UNAUTHENTICATED"]);
  });

  test("a valid cookie does not make up for a bad token", async () => {
    const cookie = await signIn();
    expect((await cloud.call("GET", "/api/session", asBrowser(cookie, { authorization: "Bearer wrong-token" }))).status).toBe(401);
  });
});

describe("a browser", () => {
  test("signs in with a link, once", async () => {
    const { status, json } = await cloud.call("POST", "/api/login-links");
    expect(status).toBe(201);
    expect(json.url).toMatch(new RegExp(`^${cloud.url}/login/[A-Za-z0-9_-]{43}$`));
    expect((await fetch(json.url, { method: "HEAD", redirect: "manual" })).headers.get("set-cookie")).toBeNull();
    const opened = await fetch(json.url, { redirect: "manual" });
    expect([opened.status, opened.headers.get("location")]).toEqual([303, "/"]);
    const cookie = opened.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/^session=[^;]+; Path=\/; HttpOnly; SameSite=Lax; Max-Age=604800$/);
    const me = await cloud.call("GET", "/api/session", asBrowser(cookie.split(";")[0] ?? ""));
    expect(me.json).toEqual({ name: "operate-token", scopes: ["operate"] });
    const again = await fetch(json.url, { redirect: "manual" });
    expect([again.status, again.headers.get("location"), again.headers.get("set-cookie")]).toEqual([303, "/?login=expired", null]);
  });

  test("can change things only from our own pages", async () => {
    const cookie = await signIn();
    const create = (headers: Record<string, string>): Promise<Answer> => cloud.call("POST", "/api/projects", { ...asBrowser(cookie, headers), body: { name: "x" } });
    expect((await create({ origin: cloud.url })).status).toBe(201);
    expect((await create({ origin: "https://evil.example" })).status).toBe(403);
    expect((await create({ origin: "null" })).status).toBe(403);
    expect((await create({})).status).toBe(403);
    expect((await cloud.call("GET", "/api/projects", asBrowser(cookie, { origin: "https://evil.example" }))).headers.get("access-control-allow-origin")).toBeNull();
  });

  test.each([
    ["a letter changed in the claims", (cookie: string) => cookie.replace(/=./, (match) => (match === "=e" ? "=f" : "=e"))],
    ["the signature cut", (cookie: string) => cookie.slice(0, -2)],
    ["no signature", (cookie: string) => cookie.split(".")[0] ?? ""],
    ["nonsense", () => "session=nonsense"],
    ["nothing", () => "session="],
  ])("is out with %s", async (_what, change) => {
    const cookie = change(await signIn());
    expect((await cloud.call("GET", "/api/session", asBrowser(cookie))).status).toBe(401);
  });

  test("is signed out when the token of its session is revoked", async () => {
    const cookie = await signIn();
    const other = createHash("sha256").update("another token").digest("hex");
    await cloud.deploy({ bindings: { API_TOKENS: JSON.stringify([{ name: "operate-token", sha256: other, scopes: ["operate"] }]) } });
    expect((await cloud.call("GET", "/api/session", asBrowser(cookie))).status).toBe(401);
    const fewer = createHash("sha256").update(cloud.tokens.operate).digest("hex");
    await cloud.deploy({ bindings: { API_TOKENS: JSON.stringify([{ name: "operate-token", sha256: fewer, scopes: ["view"] }]) } });
    expect((await cloud.call("GET", "/api/session", asBrowser(cookie))).json.scopes).toEqual(["view"]);
    await cloud.deploy();
    expect((await cloud.call("GET", "/api/session", asBrowser(cookie))).json.scopes).toEqual(["operate"]);
  });
});

describe("live events", () => {
  async function open(path: string, headers: Record<string, string>): Promise<{ socket: WebSocket; messages: { project: { state: string; name: string } }[] }> {
    const socket = new WebSocket(`${cloud.url.replace("http", "ws")}${path}`, { headers } as unknown as string[]);
    const messages: { project: { state: string; name: string } }[] = [];
    socket.addEventListener("message", ({ data }) => messages.push(JSON.parse(String(data)) as (typeof messages)[number]));
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () => reject(new Error("refused")));
    });
    return { socket, messages };
  }

  async function received(messages: readonly unknown[], count: number): Promise<void> {
    const end = Date.now() + 50_000;
    while (messages.length < count && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  test("begin with a snapshot and send every change, also to watchers who join later", async () => {
    const { id, job } = await startJob(cloud);
    const bearer = { authorization: `Bearer ${cloud.tokens.view}` };
    const early = await open(`/api/projects/${id}/events`, bearer);
    await received(early.messages, 1);
    const worker = new ScriptedWorker(job);
    await worker.sendProgress(worker.progressMessage(1, "sfm", 0.1));
    job.output = await worker.work();
    job.status = "COMPLETED";
    await cloud.runpod.webhook(job);
    await received(early.messages, 3);
    expect(early.messages.map(({ project }) => project.state)).toEqual(["queued", "running", "done"]);
    const late = await open(`/api/projects/${id}/events`, bearer);
    await received(late.messages, 1);
    expect(late.messages[0]?.project).toEqual((await cloud.call("GET", `/api/projects/${id}`)).json);
    for (const { socket } of [early, late]) socket.close();
  });

  test("are for members, and for browsers on our own pages only", async () => {
    const id = await newProject(cloud);
    const cookie = await signIn();
    await expect(open(`/api/projects/${id}/events`, {})).rejects.toThrow("refused");
    await expect(open(`/api/projects/${id}/events`, { cookie, origin: "https://evil.example" })).rejects.toThrow("refused");
    await expect(open("/api/projects/p_0000000000000000/events", { cookie, origin: cloud.url })).rejects.toThrow("refused");
    const { socket } = await open(`/api/projects/${id}/events`, { cookie, origin: cloud.url });
    socket.close();
    const plain = await cloud.call("GET", `/api/projects/${id}/events`);
    expect([plain.status, plain.json.error.hint]).toEqual([426, "Poll GET /api/projects/:id instead."]);
    const bearer = { authorization: `Bearer ${cloud.tokens.view}` };
    await expect(open(`/api/projects/${id}/events`, { ...bearer, origin: "https://evil.example" })).rejects.toThrow("refused");
  });

  test("end when the project is deleted", async () => {
    const id = await newProject(cloud);
    const { socket } = await open(`/api/projects/${id}/events`, { authorization: `Bearer ${cloud.tokens.view}` });
    const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
    await cloud.call("DELETE", `/api/projects/${id}`);
    await closed;
  });
});

describe("share links", () => {
  async function doneProject(): Promise<string> {
    const { id, job } = await startJob(cloud);
    job.output = await new ScriptedWorker(job).work();
    job.status = "COMPLETED";
    await cloud.runpod.webhook(job);
    return id;
  }

  test("show the scene to anybody until they are revoked", async () => {
    const id = await doneProject();
    const made = await cloud.call("POST", `/api/projects/${id}/shares`);
    expect(made.status).toBe(201);
    expect(made.json.expires_at).toBeNull();
    const token = made.json.url.split("/s/")[1];
    const shared = await cloud.call("GET", `/api/shared/${token}`, { as: null });
    expect(shared.json).toMatchObject({ id, state: "done", name: "Teapot" });
    expect(Object.keys(shared.json).sort()).toEqual(["artifacts", "cover", "created_at", "edit", "id", "name", "photos", "report", "shown", "state"]);
    const bytes = await cloud.call("GET", shared.json.artifacts["scene.sog"].url, { as: null });
    expect(bytes.text).toBe("sog bytes");
    expect((await cloud.call("GET", `/api/projects/${id}/shares`)).json.shares).toEqual([{ id: made.json.id, created_at: expect.any(String), expires_at: null, embed: null, views: 1 }]);
    expect((await cloud.call("DELETE", `/api/projects/${id}/shares/${made.json.id}`)).status).toBe(204);
    expect((await cloud.call("GET", `/api/shared/${token}`, { as: null })).status).toBe(404);
    expect((await cloud.call("GET", shared.json.artifacts["scene.sog"].url, { as: null })).status).toBe(404);
  });

  test("open only their own project, and only for reading", async () => {
    const [one, other] = [await doneProject(), await doneProject()];
    const { json } = await cloud.call("POST", `/api/projects/${one}/shares`, { body: { expires_in_s: 3600 } });
    expect(Date.parse(json.expires_at)).toBeGreaterThan(Date.now());
    const [, secret] = json.url.split("/s/")[1].split(".");
    expect((await cloud.call("GET", `/api/shared/${other}.${secret}`, { as: null })).status).toBe(404);
    expect((await cloud.call("GET", `/api/shared/${one}.${secret.slice(0, -1)}${secret.endsWith("x") ? "y" : "x"}`, { as: null })).status).toBe(404);
    expect((await cloud.call("DELETE", `/api/shared/${one}.${secret}`, { as: null })).status).toBe(405);
    expect((await cloud.call("GET", `/api/projects/${one}`, { as: null, headers: { authorization: `Bearer ${secret}` } })).status).toBe(401);
  });

  test.each([{ expires_in_s: 1 }, { expires_in_s: 1e12 }, { expires_in_s: "soon" }, { forever: true }, { embed: ["example.org"] }, { embed: ["https://a.b; script-src *"] }, { embed: ["https://a.b/path"] }, { embed: "*" }])("%j is refused", async (body) => {
    const id = await newProject(cloud);
    expect((await cloud.call("POST", `/api/projects/${id}/shares`, { body })).status).toBe(400);
  });
});

describe("artifacts", () => {
  test("support ranges, conditions and HEAD", async () => {
    const { id, job } = await startJob(cloud);
    job.output = await new ScriptedWorker(job).work({ "scene.ply": "0123456789" });
    job.status = "COMPLETED";
    await cloud.runpod.webhook(job);
    const url = `/api/projects/${id}/artifacts/scene.ply`;
    const get = (headers: Record<string, string>): Promise<Answer> => cloud.call("GET", url, { as: "view", headers });
    const whole = await get({});
    expect([whole.status, whole.headers.get("content-length"), whole.headers.get("accept-ranges")]).toEqual([200, "10", "bytes"]);
    expect(whole.headers.get("content-disposition")).toMatch(/^inline; filename="[^"]+\.ply"; filename\*=UTF-8''[^/]+\.ply$/);
    const table: [string, number, string, string | null][] = [
      ["bytes=0-3", 206, "0123", "bytes 0-3/10"],
      ["bytes=7-", 206, "789", "bytes 7-9/10"],
      ["bytes=-2", 206, "89", "bytes 8-9/10"],
      ["bytes=5-500", 206, "56789", "bytes 5-9/10"],
    ];
    for (const [range, status, text, contentRange] of table) {
      const answer = await get({ range });
      expect([range, answer.status, answer.text, answer.headers.get("content-range")]).toEqual([range, status, text, contentRange]);
    }
    expect((await get({ range: "bytes=10-20" })).status).toBe(416);
    const etag = whole.headers.get("etag") ?? "";
    expect((await get({ "if-none-match": etag })).status).toBe(304);
    expect((await get({ "if-none-match": '"other"' })).status).toBe(200);
    expect([(await get({ "if-match": etag })).status, (await get({ "if-match": '"other"' })).status]).toEqual([200, 412]);
    const head = await cloud.call("HEAD", url, { as: "view" });
    expect([head.status, head.text]).toEqual([200, ""]);
  });

  test.each(["nothing.txt", "scene.ply", "..%2F..%2Fphotos%2F0001.jpg", "report.json", "checkpoint"])("%s of a project without results is not found", async (name) => {
    const id = await newProject(cloud);
    expect((await cloud.call("GET", `/api/projects/${id}/artifacts/${name}`)).status).toBe(404);
  });
});

/** A request with exactly these headers: fetch sets Sec-Fetch-Mode itself. */
function opened(path: string, headers: Record<string, string>): Promise<{ status: number; headers: IncomingHttpHeaders; text: string }> {
  return new Promise((resolve, reject) => {
    get(`${cloud.url}${path}`, { headers, agent: false }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() });
    }).on("error", reject);
  });
}

describe("documents and headers", () => {
  test.each(["/", "/new", "/p/p_0123456789abcdef", "/s/whatever", "/s/whatever/else", "/index.html"])("%s is the app, under a policy that names the bucket", async (path) => {
    const { status, text, headers } = await cloud.call("GET", path, { as: null });
    expect([status, text]).toEqual([200, "<!doctype html><title>app</title>"]);
    expect(headers.get("content-security-policy")).toBe(
      `default-src 'none'; script-src 'self'; worker-src 'self' blob:; connect-src 'self' ${cloud.url}; img-src 'self' blob:; media-src blob:; font-src 'self'; style-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`,
    );
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("permissions-policy")).toContain("camera=(self)");
    expect(headers.get("x-robots-tag")).toBe("noindex");
  });

  test("files are served without the Worker, a missing one is an error that nobody stores", async () => {
    expect((await cloud.call("GET", "/app.js", { as: null })).text).toBe("export {};");
    // What a script, a robot or an icon asks for, and what a person gets who opens the address of a missing file.
    for (const [path, headers] of [
      ["/assets/old-hash.js", {}],
      ["/assets/old-hash.js", { "sec-fetch-mode": "navigate", accept: "text/html" }],
      ["/favicon.ico", { "sec-fetch-mode": "no-cors", accept: "image/*" }],
      ["/nope", {}],
      ["/nope", { "sec-fetch-mode": "cors", accept: "*/*" }],
    ] as const) {
      const { status, headers: got, text } = await opened(path, headers);
      expect([path, status, got["cache-control"], JSON.parse(text).error.code]).toEqual([path, 404, "no-store", "NOT_FOUND"]);
    }
  });

  test("a person who opens an unknown address gets the app, as a page that is not found", async () => {
    for (const headers of [{ "sec-fetch-mode": "navigate", accept: "text/html,*/*;q=0.8" }, { accept: "text/html" }]) {
      const { status, text, headers: got } = await opened("/some/where", headers);
      expect([status, text]).toEqual([404, "<!doctype html><title>app</title>"]);
      expect(got["cache-control"]).toBe("no-cache");
      expect(got["content-security-policy"]).toContain("script-src 'self'");
    }
  });

  test("every answer of the API is plain data that nobody caches or frames", async () => {
    for (const path of ["/api/health", "/api/projects", "/api/nothing"]) {
      const { headers } = await cloud.call("GET", path);
      expect(headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("content-type")).toContain("application/json");
    }
  });

  test("health reports stack and version to anybody", async () => {
    expect((await cloud.call("GET", "/api/health", { as: null })).json).toEqual({ status: "ok", stack: "test", version: "0.1.0", starts: "ok" });
  });

  test("a wrong method gets the list of allowed ones", async () => {
    const { status, headers, json } = await cloud.call("PUT", "/api/projects");
    expect([status, headers.get("allow"), json.error.code]).toEqual([405, "POST, GET, HEAD", "METHOD_NOT_ALLOWED"]);
  });

  test("settings and metrics report limits, price and figures", async () => {
    expect((await cloud.call("GET", "/api/settings", { as: "view" })).json).toMatchObject({ limits: { photos_min: 5, photos_max: 400, photo_bytes_max: 1_000_000 }, presets: ["preview", "standard", "high"] });
    const metrics = await cloud.call("GET", "/api/metrics");
    expect(metrics.json).toMatchObject({ runpod: { workers: { idle: 1, running: 0 } }, spend: { budget_usd: 100 } });
    const text = await cloud.call("GET", "/api/metrics", { headers: { accept: "text/plain" } });
    expect(text.headers.get("content-type")).toContain("text/plain; version=0.0.4");
    for (const line of text.text.trim().split("\n")) expect(line).toMatch(/^(# (HELP|TYPE) splat_\w+ .+|splat_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? -?[0-9.e+-]+)$/);
  });
});

describe("an installation", () => {
  test.each([
    ["RUNPOD_API_KEY", null, "RUNPOD_API_KEY is not set"],
    ["API_TOKENS", "[]", "API_TOKENS is empty and ACCESS is not set, so nobody can sign in"],
    ["HOOK_KEYS", '["c2hvcnQ="]', "HOOK_KEYS is not valid: 0: 32 bytes in base64"],
    ["LIMITS", "{}", "LIMITS is not valid: photos_min: Invalid input: expected number, received undefined"],
  ])("without a valid %s answers 503 and names it, but is healthy", async (name, value, problem) => {
    await cloud.deploy({ bindings: { [name]: value } });
    const answer = await cloud.call("GET", "/api/projects");
    expect([answer.status, answer.json.error.code, answer.json.error.message]).toEqual([503, "NOT_CONFIGURED", `The service is not configured: ${problem}.`]);
    expect((await cloud.call("GET", "/api/health", { as: null })).status).toBe(200);
    await cloud.deploy();
  });

  test("limits only the caller who sends too many requests", async () => {
    await cloud.deploy({ rateLimit: 20 });
    const statuses = await Promise.all(Array.from({ length: 30 }, () => cloud.call("GET", "/api/session", { as: "view" })));
    const slowed = statuses.filter(({ status }) => status === 429);
    expect(slowed.length).toBeGreaterThanOrEqual(5);
    expect(slowed[0]?.headers.get("retry-after")).toBe("10");
    expect((await cloud.call("GET", "/api/session", { as: "operate" })).status).toBe(200);
    await cloud.deploy();
  });

  test("continues a running job when all our secrets are rotated", async () => {
    const { id, job } = await startJob(cloud);
    const next = Buffer.alloc(32, 7).toString("base64");
    await cloud.deploy({ bindings: { HOOK_KEYS: JSON.stringify([next, ...cloud.hookKeys]) } });
    const worker = new ScriptedWorker(job);
    expect((await worker.sendProgress(worker.progressMessage(1, "sfm", 0.3))).status).toBe(204);
    job.output = await worker.work();
    job.status = "COMPLETED";
    expect((await cloud.runpod.webhook(job)).status).toBe(204);
    expect((await cloud.call("GET", `/api/projects/${id}`)).json.state).toBe("done");
    const second = await startJob(cloud);
    await cloud.deploy({ bindings: { HOOK_KEYS: JSON.stringify([next]) } });
    expect((await cloud.runpod.webhook(second.job)).status).toBe(204);
    expect((await cloud.runpod.webhook(job)).status).toBe(403);
    await cloud.deploy();
  });
});
