// What an attacker gets: forged, replayed, expired, truncated and oversized hooks, wrong scopes, other people's addresses,
// path tricks, and thousands of random requests. `npm run attack` prints the table and sends 10 000 of them.
import { createHmac, randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";

import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Cloud } from "./support/cloud.ts";
import { ScriptedWorker, type ScriptedJob } from "./support/runpod.ts";
import { newProject, startJob } from "./support/scenes.ts";

const FUZZ_RUNS = Number(process.env["ATTACK_RUNS"] ?? 500);
/** The same requests in every run; another seed makes others. */
const FUZZ_SEED = Number(process.env["ATTACK_SEED"] ?? 1);
const CODES = ["BAD_REQUEST", "UNAUTHENTICATED", "BUDGET_EXCEEDED", "FORBIDDEN", "NOT_FOUND", "METHOD_NOT_ALLOWED", "CONFLICT", "TOO_LARGE", "TOO_MANY_REQUESTS"];

let cloud: Cloud;
let victim: { id: string; job: ScriptedJob };
let other: { id: string; job: ScriptedJob };
const table = new Map<string, string>();

beforeAll(async () => {
  cloud = await Cloud.start({ rateLimit: 1_000_000, shipped: true });
  victim = await startJob(cloud);
  other = await startJob(cloud);
});

afterAll(async () => {
  await cloud.stop();
  if (process.env["ATTACK_RUNS"] !== undefined) {
    const width = Math.max(...[...table.keys()].map((what) => what.length));
    process.stdout.write(`\n${[...table].map(([what, answer]) => `${what.padEnd(width)}  ${answer}`).join("\n")}\n`);
  }
});

class Hang extends Error {}

interface Raw {
  readonly status: number;
  readonly text: string;
}

const HANG_MS = 60_000;
/** Of one fuzzed request on a machine that is busy with other work. */
const FUZZ_CASE_MS = 300;
const MEMORY_MAX_MB = 1024;

/** Sends a path exactly as written: fetch would tidy it up. Rejects with a Hang without an answer. */
function raw(method: string, path: string, { headers = {}, body = "" }: { headers?: Record<string, string>; body?: string | Buffer } = {}): Promise<Raw> {
  const { hostname, port } = new URL(cloud.url);
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ hostname, port, method, path, headers: { ...headers, ...(body.length > 0 ? { "content-length": String(Buffer.byteLength(body)) } : {}) } }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.setTimeout(HANG_MS, () => sent.destroy(new Hang(`${method} ${path}: no answer within ${HANG_MS} ms`)));
    sent.end(body);
  });
}

function codeOf({ text }: Raw): string {
  try {
    return String((JSON.parse(text) as { error?: { code?: string } }).error?.code ?? "");
  } catch {
    return "";
  }
}

async function attack(what: string, expected: readonly [number, string], send: () => Promise<Raw>): Promise<void> {
  const answer = await send();
  table.set(what, `${answer.status} ${codeOf(answer)}`);
  expect([what, answer.status, codeOf(answer)]).toEqual([what, ...expected]);
}

/**
 * What a call made the edge ask of RunPod: the fewest questions of three tries. The edge also asks by itself about a job
 * that waits, and on a busy machine some of that falls into a try.
 */
async function askedOfRunPod(call: () => Promise<void>): Promise<string[]> {
  const tries: string[][] = [];
  for (let one = 0; one < 3; one++) {
    const asked = cloud.runpod.calls.length;
    await call();
    tries.push(cloud.runpod.calls.slice(asked));
  }
  return tries.reduce((fewest, asked) => (asked.length < fewest.length ? asked : fewest));
}

const hookPath = (url: string): string => new URL(url).pathname;
const parts = (url: string): string[] => (hookPath(url).split("/").at(-1) ?? "").split(".");
const withPart = (url: string, index: number, value: string): string => {
  const changed = parts(url);
  changed[index] = value;
  return `${hookPath(url).split("/").slice(0, -1).join("/")}/${changed.join(".")}`;
};

/** A capability made with a key of the attacker's, or of an installation that has leaked one. */
function capability(purpose: string, projectId: string, attempt: number, nonce: string, expiresS: number, key: string): string {
  const mac = createHmac("sha256", Buffer.from(key, "base64")).update(["splat-capability-v1", purpose, projectId, attempt, nonce, expiresS].join("\n")).digest("base64url");
  return `v1.${projectId}.${attempt}.${nonce}.${expiresS}.${mac}`;
}

describe("hooks", () => {
  const FORBIDDEN = [403, "FORBIDDEN"] as const;

  test("with a wrong address are refused", async () => {
    const { webhook } = victim.job;
    const [, , , nonce = "", expires = ""] = parts(webhook);
    const later = String(Number(expires) + 3600);
    const [own = ""] = cloud.hookKeys;
    const made = (purpose: string, when: number, key: string): string => `/api/hooks/runpod/${capability(purpose, victim.id, 1, nonce, when, key)}`;
    const cases: [string, string][] = [
      ["hook: no capability at all", "/api/hooks/runpod/x"],
      ["hook: MAC of another's making", withPart(webhook, 5, randomBytes(32).toString("base64url"))],
      ["hook: MAC cut short", hookPath(webhook).slice(0, -1)],
      ["hook: MAC with a letter more", `${hookPath(webhook)}A`],
      ["hook: another project's id under this MAC", withPart(webhook, 1, other.id)],
      ["hook: another attempt under this MAC", withPart(webhook, 2, "2")],
      ["hook: another nonce under this MAC", withPart(webhook, 3, randomBytes(16).toString("base64url"))],
      ["hook: a later expiry under this MAC", withPart(webhook, 4, later)],
      ["hook: another version", withPart(webhook, 0, "v2")],
      ["hook: the progress address used as RunPod's", hookPath(victim.job.input.progress.url).replace("/progress/", "/runpod/")],
      ["hook: expired, genuine key", made("hook-runpod", Math.floor(Date.now() / 1000) - 1, own)],
      ["hook: genuine form, foreign key", made("hook-runpod", Number(expires), randomBytes(32).toString("base64"))],
      ["hook: genuine key, nonce of no attempt", `/api/hooks/runpod/${capability("hook-runpod", victim.id, 1, randomBytes(16).toString("base64url"), Number(expires), own)}`],
      ["hook: genuine key, project that is not there", `/api/hooks/runpod/${capability("hook-runpod", "p_0000000000000000", 1, nonce, Number(expires), own)}`],
    ];
    for (const [what, path] of cases) {
      const asked = await askedOfRunPod(() => attack(what, FORBIDDEN, () => raw("POST", path, { body: "{}" })));
      expect([what, asked]).toEqual([what, []]);
    }
  });

  test("with a stolen address cost one status call to RunPod and change nothing", async () => {
    const lie = { ...victim.job, status: "COMPLETED", output: new ScriptedWorker(victim.job).report({}) };
    for (const [what, body] of [
      ["hook: stolen address, body that lies about success", JSON.stringify(lie)],
      ["hook: stolen address, another job's id", JSON.stringify({ id: other.job.id, status: "COMPLETED" })],
      ["hook: stolen address, no JSON", "<xml>"],
      ["hook: stolen address, nothing", ""],
    ] as const) {
      const asked = await askedOfRunPod(() => attack(what, [204, ""], () => raw("POST", hookPath(victim.job.webhook), { body })));
      expect([what, asked]).toEqual([what, ["GET status"]]);
      expect((await cloud.call("GET", `/api/projects/${victim.id}`)).json.state).toBe("queued");
    }
  });

  test("that are too large are refused, also without a declared length", async () => {
    const big = "x".repeat(1024 * 1024 + 1);
    await attack("hook: body of 1 MiB and a byte", [413, "TOO_LARGE"], () => raw("POST", hookPath(victim.job.webhook), { body: big }));
    const progress = hookPath(victim.job.input.progress.url);
    await attack("progress: body of 20 001 bytes", [413, "TOO_LARGE"], () => raw("POST", progress, { body: "x".repeat(20_001) }));
    const endless = async (): Promise<number> => {
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(new Uint8Array(10_000));
        },
      });
      return (await fetch(victim.job.input.progress.url, { method: "POST", body, duplex: "half" } as RequestInit)).status;
    };
    // The refusal ends the connection in mid-body. The local front waits a second for it, which a busy machine may miss.
    const statuses = [await endless()];
    while (statuses.at(-1) === 502 && statuses.length < 5) statuses.push(await endless());
    table.set("progress: endless body without a length", statuses.join(", "));
    expect(statuses.at(-1)).toBe(413);
  });

  test("of a worker need a recent signature of this attempt", async () => {
    const worker = new ScriptedWorker(victim.job);
    const message = worker.progressMessage(1, "train", 0.99);
    const send = async (change: Parameters<ScriptedWorker["sendProgress"]>[1], what: object = message): Promise<Raw> => {
      const response = await worker.sendProgress(what, change);
      return { status: response.status, text: await response.text() };
    };
    const refused = [401, "UNAUTHENTICATED"] as const;
    await attack("progress: no signature", refused, () => raw("POST", hookPath(victim.job.input.progress.url), { body: JSON.stringify(message) }));
    await attack("progress: signed with another attempt's secret", refused, () => send({ secret: other.job.input.progress.secret }));
    await attack("progress: replayed after six minutes", refused, () => send({ ageS: 360 }));
    await attack("progress: dated six minutes ahead", refused, () => send({ ageS: -360 }));
    await attack("progress: genuine, but about another project", [400, "BAD_REQUEST"], () => send({}, { ...message, project_id: other.id }));
    await attack("progress: genuine, fraction of 17", [400, "BAD_REQUEST"], () => send({}, { ...message, fraction: 17 }));
    expect((await cloud.call("GET", `/api/projects/${victim.id}`)).json).toMatchObject({ state: "queued", progress: null });
  });
});

describe("addresses and scopes", () => {
  test.each([
    ["path: up and out of artifacts", "GET", "/api/projects/ID/artifacts/../../../../../api/etc/passwd", 404],
    ["path: encoded way to a photo", "GET", "/api/projects/ID/artifacts/..%2f..%2fphotos%2f0001.jpg", 404],
    ["path: doubly encoded", "GET", "/api/projects/ID/artifacts/%252e%252e%252fcheckpoint", 404],
    ["path: null byte", "GET", "/api/projects/ID/artifacts/scene.ply%00.txt", 404],
    ["path: a prototype's name", "GET", "/api/projects/ID/artifacts/__proto__", 404],
    ["path: constructor", "GET", "/api/projects/ID/artifacts/constructor", 404],
    ["path: a broken escape", "GET", "/api/projects/%E0%A4%A/photos", 404],
    ["path: an id that is SQL", "GET", "/api/projects/p_'%20OR%20'1'='1", 404],
    ["path: the runtime's own tools", "GET", "/cdn-cgi/local/r2/public/splat-test/projects/", 404],
    ["scope: view deletes", "DELETE", "/api/projects/ID", 403],
    ["scope: view renames", "PATCH", "/api/projects/ID", 403],
    ["scope: view cancels", "POST", "/api/projects/ID/jobs/cancel", 403],
    ["scope: view shares", "POST", "/api/projects/ID/shares", 403],
    ["scope: view reads metrics", "GET", "/api/metrics", 403],
    ["method: TRACE", "TRACE", "/api/projects", 405],
    ["method: made up", "PROPFIND", "/api/projects", 405],
  ])("%s", async (what, method, path, status) => {
    const answer = await raw(method, path.replace("ID", victim.id), { headers: { authorization: `Bearer ${cloud.tokens.view}` } }).catch((error: unknown) => ({ status: 0, text: String(error) }));
    table.set(what, `${answer.status} ${codeOf(answer)}`);
    // A method that HTTP servers themselves refuse may end before it reaches us.
    expect([what, answer.status === 0 || answer.status === 400 || answer.status === status ? status : answer.status]).toEqual([what, status]);
    expect(answer.text).not.toMatch(/root:|\bat .*\.ts|stack/i);
  });

  test.each(["//evil.example/", "//evil.example/..", "/\\\\evil.example/", "/%2f%2fevil.example/", "//api//projects", "/login/..//evil.example"])(
    "%s leads nowhere else",
    async (path) => {
      const { hostname, port } = new URL(cloud.url);
      const location = await new Promise<string | undefined>((resolve, reject) => {
        httpRequest({ hostname, port, path }, (response) => resolve(response.resume().headers.location)).on("error", reject).end();
      });
      table.set(`redirect: ${path}`, location ?? "none");
      if (location !== undefined) expect(new URL(location, cloud.url).origin).toBe(cloud.url);
    },
  );

  test("uploads of one project cannot be aimed at another", async () => {
    const id = await newProject(cloud);
    const { json } = await cloud.call("POST", `/api/projects/${id}/photos`, { body: { photos: [{ name: "../../x.jpg", type: "image/jpeg", bytes: 4 }] } });
    const [{ url, headers, as }] = json.uploads;
    expect(as).toBe("0001.jpg");
    const put = async (address: string): Promise<number> => (await fetch(address, { method: "PUT", headers, body: "abcd" })).status;
    const cases: [string, string][] = [
      ["upload: another project's key", url.replace(id, victim.id)],
      ["upload: another name", url.replace("0001.jpg", "0002.jpg")],
      ["upload: a result's key", url.replace("photos/0001.jpg", "attempts/1/scene.ply")],
      ["upload: longer life", url.replace(/X-Amz-Expires=\d+/, "X-Amz-Expires=604800")],
      ["upload: no signature", url.split("?")[0] ?? ""],
    ];
    for (const [what, address] of cases) {
      const status = await put(address);
      table.set(what, String(status));
      expect([what, [400, 403].includes(status)]).toEqual([what, true]);
    }
    const read = await fetch(url);
    table.set("upload: address used to read", String(read.status));
    expect(read.status).toBe(403);
  });
});


const word = fc.oneof(
  fc.string({ maxLength: 12, unit: "binary" }),
  fc.constantFrom("projects", "photos", "jobs", "retry", "cancel", "shares", "artifacts", "events", "estimate", "hooks", "runpod", "progress", "shared", "session", "scene.ply", "..", ".", "%2e%2e", "p_0123456789abcdef"),
);
const written = (text: string): string => encodeURI(text.toWellFormed()).replace(/[?#\s]/g, "");
/** PREY stands for a project that is there to be hurt. */
const OPERATIONS = [
  "GET projects", "POST projects", "GET projects/PREY", "PATCH projects/PREY", "DELETE projects/PREY", "GET projects/PREY/photos", "POST projects/PREY/photos",
  "DELETE projects/PREY/photos/0001.jpg", "GET projects/PREY/estimate", "POST projects/PREY/jobs", "POST projects/PREY/jobs/cancel", "POST projects/PREY/jobs/retry",
  "GET projects/PREY/events", "GET projects/PREY/artifacts/scene.ply", "GET projects/PREY/shares", "POST projects/PREY/shares", "DELETE projects/PREY/shares/s_0123456789",
  "GET jobs", "GET estimate", "GET session", "GET settings", "GET metrics", "GET operations", "GET operations/checks", "GET alerts", "POST alerts/test", "GET backup", "POST restore", "POST stop", "POST resume", "POST login-links", "GET health", "GET openapi.json", "GET shared/PREY.secret", "POST hooks/runpod/x", "POST hooks/progress/x",
].map((one) => one.split(" ") as [string, string]);
const anyMethod = fc.constantFrom("GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS");
const operation = fc.constantFrom(...OPERATIONS);
const target = fc.oneof(
  { weight: 6, arbitrary: operation.map(([method, route]) => ({ method, path: `/api/${route}` })) },
  { weight: 1, arbitrary: fc.tuple(anyMethod, operation).map(([method, [, route]]) => ({ method, path: `/api/${route}` })) },
  { weight: 1, arbitrary: fc.tuple(operation, word).map(([[method, route], one]) => ({ method, path: `/api/${route.replace(/[^/]+$/, written(one))}` })) },
  { weight: 1, arbitrary: fc.tuple(anyMethod, fc.array(word, { maxLength: 6 })).map(([method, words]) => ({ method, path: `/api/${words.map(written).join("/")}` })) },
);
const query = fc.dictionary(fc.constantFrom("cursor", "limit", "preset", "photos", "v", "__proto__"), fc.oneof(fc.constantFrom("7", "preview", "2026-01-01T00:00:00.000Z~p_0123456789abcdef"), fc.string({ maxLength: 20, unit: "binary" })), { maxKeys: 3 });
const body = fc.oneof(
  fc.constant(""),
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.jsonValue().map((value) => JSON.stringify(value)),
  fc.constantFrom('{"name":"x"}', '{"preset":"preview"}', "{}", '{"photos":[{"name":"a.jpg","type":"image/jpeg","bytes":9}]}', '{"expires_in_s":60}'),
  fc.record({ backup: fc.constantFrom("b_0123456789abcdef", "b"), overwrite: fc.boolean(), last: fc.boolean(), entries: fc.array(fc.record({ of: fc.constantFrom("account", "p_0000000000000001", "x"), tables: fc.dictionary(fc.constantFrom("job", "project", "photo", "login"), fc.array(fc.dictionary(fc.constantFrom("id", "name", "job", "usd"), fc.jsonValue()), { maxLength: 2 })) }), { maxLength: 2 }) }).map((value) => JSON.stringify(value)),
  fc.record({ name: fc.anything(), preset: fc.constantFrom("preview", "huge", 7), photos: fc.array(fc.record({ name: fc.string(), type: fc.constantFrom("image/jpeg", "text/html"), bytes: fc.oneof(fc.integer(), fc.double()) }), { maxLength: 3 }) }, { requiredKeys: [] }).map((value) => {
    try {
      return JSON.stringify(value) ?? "";
    } catch {
      return "{}";
    }
  }),
);
const fuzzed = fc.record({
  target,
  query,
  body,
  as: fc.constantFrom("operate", "upload", "view", null),
  headers: fc.dictionary(fc.constantFrom("range", "if-none-match", "idempotency-key", "origin", "cookie", "upgrade", "content-type", "accept"), fc.string({ maxLength: 30 }).map((text) => text.replace(/[^\x20-\x7e]/g, "")), { maxKeys: 3 }),
});

test(`${FUZZ_RUNS} random requests never get a 5xx, and every error is in the envelope`, { timeout: 60_000 + FUZZ_RUNS * FUZZ_CASE_MS }, async () => {
  const seen = new Map<number, number>();
  let prey = await newProject(cloud);
  await fc.assert(
    fc.asyncProperty(fuzzed, async ({ target: { method, path }, ...one }) => {
      const search = new URLSearchParams(Object.entries(one.query).map(([name, value]): [string, string] => [name, value.toWellFormed()])).toString();
      const answer = await raw(method, `${path.replace("PREY", prey)}${search === "" ? "" : `?${search}`}`, {
        headers: { ...one.headers, ...(one.as === null ? {} : { authorization: `Bearer ${cloud.tokens[one.as]}` }) },
        body: method === "GET" || method === "HEAD" ? "" : one.body,
      }).catch((error: unknown) => {
        if (error instanceof Hang) throw error;
        return { status: 400, text: '{"error":{"code":"BAD_REQUEST"}}' }; // what no HTTP client sends
      });
      seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
      if (method === "DELETE" && answer.status === 204) prey = await newProject(cloud);
      expect(answer.status).toBeLessThan(500);
      if (answer.status >= 400 && method !== "HEAD" && answer.text.startsWith("{")) expect(CODES).toContain(codeOf(answer));
    }),
    { numRuns: FUZZ_RUNS, seed: FUZZ_SEED, endOnFailure: false },
  );
  table.set(`${FUZZ_RUNS} random requests`, [...seen].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`).join(", "));
  // A fuzz run that is only refused proves little.
  const opened = [...seen].filter(([status]) => status < 300).reduce((sum, [, count]) => sum + count, 0);
  expect(opened / FUZZ_RUNS).toBeGreaterThan(0.08);
  expect((await cloud.call("GET", `/api/projects/${victim.id}`)).json.state).toBe("queued");
  expect(cloud.log()).not.toContain("worker error");
  const memory = await cloud.memoryPeaksMb();
  table.set("peak memory of runtime and workerd in MB", memory.join(", "));
  expect(Math.max(...memory)).toBeLessThan(MEMORY_MAX_MB);
});

test("the log of all this holds no secret", () => {
  const log = cloud.log();
  for (const secret of [...Object.values(cloud.tokens), ...cloud.hookKeys, cloud.runpod.apiKey, victim.job.input.progress.secret, "X-Amz-Signature", parts(victim.job.webhook)[5] ?? ""]) {
    expect(log.includes(secret)).toBe(false);
  }
});
