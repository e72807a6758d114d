// People who are let in and mean no good, and clients that speak HTTP badly: keys used twice, races, names, cursors, headers, sockets.
// Sent to the shipped bundle; what fetch would tidy up goes over a plain socket.
import { connect } from "node:net";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Cloud, type Answer } from "./support/cloud.ts";
import { ScriptedWorker } from "./support/runpod.ts";
import { newProject, startJob, uploadPhotos } from "./support/scenes.ts";

let cloud: Cloud;
beforeAll(async () => {
  cloud = await Cloud.start({ rateLimit: 1_000_000, shipped: true });
});
afterAll(() => cloud.stop());

const create = (body: unknown, headers: Record<string, string> = {}): Promise<Answer> => cloud.call("POST", "/api/projects", { as: "upload", body, headers });

/** Everything that comes back for these bytes within two seconds. */
function socket(text: string): Promise<string> {
  const { hostname, port } = new URL(cloud.url);
  return new Promise((resolve) => {
    const open = connect(Number(port), hostname, () => open.write(text));
    let heard = "";
    open.setEncoding("latin1");
    open.on("data", (chunk: string) => (heard += chunk));
    open.on("close", () => resolve(heard));
    // A reset is an answer too: of a server that will not read on.
    open.on("error", () => undefined);
    setTimeout(() => open.destroy(), 2000).unref();
  });
}
const statuses = (heard: string): number[] => [...heard.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));

describe("the same Idempotency-Key", () => {
  test("with another body is refused for every call that creates something", async () => {
    const headers = { "idempotency-key": "one-key" };
    const made = await create({ name: "Teapot" }, headers);
    const { id } = made.json;
    expect((await create({ name: "Kettle" }, headers)).status).toBe(409);
    await cloud.call("PATCH", `/api/projects/${id}`, { body: { name: "Pot" } });
    expect(await create({ name: "Teapot" }, headers)).toMatchObject({ status: 201, json: { id, name: "Pot" } });
    const photos = (name: string): Promise<Answer> => cloud.call("POST", `/api/projects/${id}/photos`, { as: "upload", headers, body: { photos: [{ name, type: "image/jpeg", bytes: 9 }] } });
    expect([(await photos("a.jpg")).status, (await photos("a.jpg")).status, (await photos("b.jpg")).status]).toEqual([201, 201, 409]);
    expect((await cloud.call("GET", `/api/projects/${id}/photos`)).json.photos).toHaveLength(1);
    const share = (body: object): Promise<Answer> => cloud.call("POST", `/api/projects/${id}/shares`, { headers, body });
    expect([(await share({ expires_in_s: 60 })).status, (await share({ expires_in_s: 61 })).status, (await share({})).status]).toEqual([201, 409, 409]);
    await cloud.call("DELETE", `/api/projects/${id}/photos/0001.jpg`);
    await uploadPhotos(cloud, id, 5);
    const start = (preset: string): Promise<Answer> => cloud.call("POST", `/api/projects/${id}/jobs`, { as: "upload", headers, body: { preset } });
    expect([(await start("preview")).status, (await start("preview")).status, (await start("high")).status]).toEqual([202, 202, 409]);
    expect(cloud.runpod.jobsOf(id)).toHaveLength(1);
  });

  test("of another caller is another key", async () => {
    const headers = { "idempotency-key": "shared-words" };
    const mine = await create({ name: "Mine" }, headers);
    const theirs = await cloud.call("POST", "/api/projects", { as: "operate", headers, body: { name: "Theirs" } });
    expect([theirs.status, theirs.json.id === mine.json.id]).toEqual([201, false]);
  });

  test("ten times at once creates one project", async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => create({ name: "Teapot" }, { "idempotency-key": "at-once" })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ json }) => json.id)).size).toBe(1);
  });
});

describe("at once", () => {
  test("ten starts are one job", async () => {
    const id = await newProject(cloud);
    await uploadPhotos(cloud, id, 5);
    const answers = await Promise.all(Array.from({ length: 10 }, () => cloud.call("POST", `/api/projects/${id}/jobs`, { body: { preset: "preview" } })));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, ...Array<number>(9).fill(409)]);
    expect(cloud.runpod.jobsOf(id)).toHaveLength(1);
  });

  test("ten deletions are one, and other calls meanwhile find the project or not, never half of it", async () => {
    const { id, job } = await startJob(cloud);
    const path = `/api/projects/${id}`;
    const deletions = Array.from({ length: 10 }, () => cloud.call("DELETE", path));
    const others = [cloud.call("GET", path), cloud.call("POST", `${path}/jobs/cancel`), cloud.call("POST", `${path}/shares`), cloud.call("PATCH", path, { body: { name: "late" } })];
    expect((await Promise.all(deletions)).map(({ status }) => status).sort()).toEqual([204, ...Array<number>(9).fill(404)]);
    for (const { status } of await Promise.all(others)) expect([200, 201, 202, 404, 409]).toContain(status);
    expect(job.status).toBe("CANCELLED");
    expect((await cloud.call("GET", path)).status).toBe(404);
  });

  test("a start among declarations and deletions leaves a job with all of its photos", async () => {
    const id = await newProject(cloud);
    await uploadPhotos(cloud, id, 8);
    const [start] = await Promise.all([
      cloud.call("POST", `/api/projects/${id}/jobs`, { body: { preset: "preview" } }),
      ...["0001.jpg", "0002.jpg", "0003.jpg"].map((as) => cloud.call("DELETE", `/api/projects/${id}/photos/${as}`)),
      cloud.call("POST", `/api/projects/${id}/photos`, { body: { photos: [{ name: "late.jpg", type: "image/jpeg", bytes: 9 }] } }),
    ]);
    if (start.status !== 202) return expect(start.status).toBe(409);
    const fetched = await Promise.all(cloud.runpod.jobOf(id).input.photos.map(async ({ url }) => (await fetch(url)).status));
    expect(new Set(fetched)).toEqual(new Set([200]));
  });
});

describe("names", () => {
  test.each([
    ["half a surrogate pair", "\ud800", 400],
    ["a null", "a\u0000b", 400],
    ["a line end", "a\nb", 400],
    ["text turned around", "invoice\u202egpj.exe", 400],
    ["nothing but what cannot be seen", "\u200b\u200d\ufeff", 400],
    ["nothing but blanks", " \u00a0 ", 400],
    ["121 characters", "x".repeat(121), 400],
    ["120 characters beyond the first plane", "𝒳".repeat(120), 201],
    ["many scripts, a family, a flag", "Чайник 茶壺 إبريق 👩‍👩‍👧 🇺🇦", 201],
    ["markup", "<img src=x onerror=alert(1)>", 201],
    ["SQL", "'; DROP TABLE project; --", 201],
  ])("of %s", async (_what, name, status) => {
    const answer = await create({ name });
    expect(answer.status).toBe(status);
    if (status !== 201) return;
    expect(answer.json.name).toBe(name);
    expect((await cloud.call("GET", `/api/projects/${answer.json.id}`)).json.name).toBe(name);
    expect(answer.headers.get("content-type")).toContain("application/json");
  });

  test("that look the same in two encodings are one", async () => {
    const headers = { "idempotency-key": "normal" };
    const [composed, decomposed] = [await create({ name: "Caf\u00e9" }, headers), await create({ name: "Cafe\u0301" }, headers)];
    expect([composed.status, decomposed.status, decomposed.json.name]).toEqual([201, 201, "Caf\u00e9"]);
  });

  test("of photos: half a surrogate pair is refused, the same name twice is two photos that both resume", async () => {
    const id = await newProject(cloud);
    const declare = (...names: string[]): Promise<Answer> => cloud.call("POST", `/api/projects/${id}/photos`, { body: { photos: names.map((name) => ({ name, type: "image/jpeg", bytes: 9 })) } });
    expect((await declare("a\udfff.jpg")).status).toBe(400);
    const twice = async (): Promise<string[]> => (await declare("ü.jpg", "ü.jpg")).json.uploads.map(({ as }: { as: string }) => as);
    expect([await twice(), await twice()]).toEqual([["0001.jpg", "0002.jpg"], ["0001.jpg", "0002.jpg"]]);
  });
});

describe("queries and bodies", () => {
  test.each([
    ["cursor=2026-01-01T00:00:00.000Z~p_'%20OR%20'1'='1", 400],
    ["cursor=9999-99-99T99:99:99.999Z~p_zzzzzzzzzzzzzzzz", 200],
    ["cursor=0000-00-00T00:00:00.000Z~p_0000000000000000", 200],
    ["cursor=", 400],
    ["cursor=%00", 400],
    ["limit=0", 400],
    ["limit=", 400],
    ["limit=1e1", 400],
    ["limit=0x10", 400],
    ["limit=%201", 400],
    ["limit=-1", 400],
    ["limit=1&limit=1000", 200],
  ])("a list asked with %s is %i", async (query, status) => {
    expect((await cloud.call("GET", `/api/projects?${query}`)).status).toBe(status);
  });

  test.each([
    ["nested 30 000 deep", `${"[".repeat(30_000)}${"]".repeat(30_000)}`, 400],
    ["a prototype", '{"name":"x","__proto__":{"scopes":["operate"]}}', 400],
    ["a field too many", '{"name":"x","state":"done"}', 400],
    ["the same field twice", '{"name":"x","name":"y"}', 201],
    ["a byte order mark", '\ufeff{"name":"x"}', 201],
    ["64 KiB and a byte", JSON.stringify({ name: "x".repeat(65_536) }), 413],
    ["a number that is none", '{"name":1e999}', 400],
    ["nothing", "", 400],
  ])("a body of %s", async (_what, body, status) => {
    expect((await create(body)).status).toBe(status);
  });

  test.each([0, -1, 1.5, 1e308, "9", null, 9_007_199_254_740_993])("a photo of %s bytes is refused", async (bytes) => {
    const id = await newProject(cloud);
    expect([400, 413]).toContain((await cloud.call("POST", `/api/projects/${id}/photos`, { body: { photos: [{ name: "a.jpg", type: "image/jpeg", bytes }] } })).status);
  });
});

describe("headers", () => {
  test("that claim another host, method or address change nothing", async () => {
    const headers = { "x-forwarded-host": "evil.example", "x-http-method-override": "DELETE", "x-original-url": "/api/metrics", "x-forwarded-for": "203.0.113.9", "cf-connecting-ip": "203.0.113.9", "x-watch-until": "1" };
    const id = await newProject(cloud);
    const answer = await cloud.call("GET", `/api/projects/${id}`, { as: "view", headers });
    expect([answer.status, answer.json.id, answer.text.includes("evil.example")]).toEqual([200, id, false]);
    const link = await cloud.call("POST", "/api/login-links", { headers: { ...headers, host: "evil.example" } });
    expect(new URL(link.json.url).origin).toBe(cloud.url);
  });

  test.each([
    ["two letters", "session=a.b"],
    ["text that is no base64", `session=${"A".repeat(5)}.${"A".repeat(43)}`],
    ["bytes beyond ASCII", "session=é"],
    ["9 000 letters", `session=${"A".repeat(9000)}`],
    ["another name", "__Host-session=x"],
    ["nothing, twice", "session=;session="],
  ])("a cookie of %s is nobody's", async (_what, cookie) => {
    expect((await cloud.call("GET", "/api/session", { as: null, headers: { cookie: Buffer.from(cookie).toString("latin1") } })).status).toBe(401);
  });

  test("a foreign page gets no CORS permission", async () => {
    for (const method of ["OPTIONS", "GET", "POST"]) {
      const { headers } = await cloud.call(method, "/api/projects", { headers: { origin: "https://evil.example", "access-control-request-method": "DELETE", "access-control-request-headers": "authorization" } });
      expect([...headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
    }
  });
});

describe("over a plain socket", () => {
  const bearer = (): string => `Authorization: Bearer ${cloud.tokens.upload}\r\nHost: x\r\n`;

  test.each([
    ["two lengths", "Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}"],
    ["a length and chunks", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/metrics HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["chunks that are none", "Transfer-Encoding: chunked\r\n\r\nzz\r\n"],
    ["a folded header", "X-A: b\r\n c: d\r\nContent-Length: 2\r\n\r\n{}"],
    ["a null in a header", "X-A: \u0000\r\nContent-Length: 2\r\n\r\n{}"],
  ])("%s get no second answer and no 5xx", async (_what, rest) => {
    const heard = statuses(await socket(`POST /api/projects HTTP/1.1\r\n${bearer()}${rest}`));
    expect(heard.filter((status) => status >= 500 || status === 200)).toEqual([]);
    expect(heard.length).toBeLessThanOrEqual(1);
  });

  test.each([
    ["another server's address", "GET http://evil.example/api/health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"],
    ["an address of no form", "GET api/health HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a line of 100 kB", `GET /api/${"a".repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
    ["no host", "GET /api/session HTTP/1.1\r\n\r\n"],
    ["a host that is none", "GET /api/session HTTP/1.1\r\nHost: a b/..\r\nConnection: close\r\n\r\n"],
  ])("%s is answered below 500", async (_what, text) => {
    for (const status of statuses(await socket(text))) expect(status).toBeLessThan(500);
  });

  test("an interrupted body creates nothing", async () => {
    const before = (await cloud.call("GET", "/api/projects?limit=1")).json.projects[0]?.id;
    const { hostname, port } = new URL(cloud.url);
    await new Promise<void>((resolve) => {
      const open = connect(Number(port), hostname, () => open.write(`POST /api/projects HTTP/1.1\r\n${bearer()}Content-Length: 30\r\n\r\n{"name":"half`, () => open.destroy()));
      open.on("close", () => resolve());
      open.on("error", () => undefined);
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await cloud.call("GET", "/api/projects?limit=1")).json.projects[0]?.id).toBe(before);
  });
});

test("a genuine progress message sent a hundred times, and out of order, is one", async () => {
  const { id, job } = await startJob(cloud);
  const worker = new ScriptedWorker(job);
  await worker.sendProgress(worker.progressMessage(5, "train", 0.5));
  const before = (await cloud.call("GET", `/api/projects/${id}`)).json;
  const again = await Promise.all(Array.from({ length: 100 }, (_, at) => worker.sendProgress(worker.progressMessage(at % 6, "sfm", 0.1))));
  expect(new Set(again.map(({ status }) => status))).toEqual(new Set([204]));
  expect((await cloud.call("GET", `/api/projects/${id}`)).json.progress).toEqual(before.progress);
});

test("none of this was an internal error", () => {
  expect(cloud.log()).not.toContain("worker error");
});

test("a change with If-Match touches only the version that its caller read", async () => {
  const { json } = await cloud.call("POST", "/api/projects", { body: { name: "first" } });
  const path = `/api/projects/${json.id}`;
  const read = async (): Promise<string> => (await cloud.call("GET", path)).headers.get("etag") ?? "";
  const rename = (name: string, tag: string): Promise<Answer> => cloud.call("PATCH", path, { body: { name }, headers: { "if-match": tag } });
  const before = await read();
  expect((await cloud.call("GET", path, { headers: { "if-none-match": before } })).status).toBe(304);
  const renamed = await rename("second", before);
  expect([renamed.status, renamed.json.name]).toEqual([200, "second"]);
  expect(renamed.headers.get("etag")).toBe(await read());
  for (const stale of [before, `W/${await read()}`, '"nonsense"']) {
    const late = await rename("third", stale);
    expect([late.status, late.json.error.code, late.headers.get("etag")]).toEqual([412, "PRECONDITION_FAILED", await read()]);
  }
  expect((await cloud.call("DELETE", path, { headers: { "if-match": before } })).status).toBe(412);
  expect((await rename("third", "*")).json.name).toBe("third");
  expect((await rename("fourth", `"other", ${await read()}`)).json.name).toBe("fourth");
  // A photo that was declared is a change, too.
  const tag = await read();
  await cloud.call("POST", `${path}/photos`, { body: { photos: [{ name: "a.jpg", type: "image/jpeg", bytes: 1000 }] } });
  expect((await cloud.call("DELETE", path, { headers: { "if-match": tag } })).status).toBe(412);
  expect((await cloud.call("DELETE", path, { headers: { "if-match": await read() } })).status).toBe(204);
  expect((await cloud.call("DELETE", path, { headers: { "if-match": tag } })).status).toBe(404);
});
