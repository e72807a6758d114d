// A scene for others: how links show it in pages, frames and previews, how often they were opened; and the edit that all of them show.
import { readFile } from "node:fs/promises";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Cloud, type Answer } from "./support/cloud.ts";
import { ScriptedWorker } from "./support/runpod.ts";
import { newProject, startJob } from "./support/scenes.ts";

let cloud: Cloud;
let id: string;
beforeAll(async () => {
  cloud = await Cloud.start({ rateLimit: 100_000 });
  id = await finished();
});
afterAll(() => cloud.stop());

async function finished(): Promise<string> {
  const { id: project, job } = await startJob(cloud);
  job.output = await new ScriptedWorker(job).work({ "scene.sog": "sog bytes", "poster.webp": "the poster", "thumbnail.webp": "small" });
  job.status = "COMPLETED";
  await cloud.runpod.webhook(job);
  return project;
}

const stranger = (path: string, headers: Record<string, string> = {}): Promise<Answer> => cloud.call("GET", path, { as: null, headers });
const tokenIn = (url: string): string => url.split("/s/")[1] ?? "";
async function share(body: object): Promise<{ url: string; embed_url: string | null; token: string }> {
  const { json } = await cloud.call("POST", `/api/projects/${id}/shares`, { body });
  return { ...json, token: tokenIn(json.url) };
}
const policyOf = ({ headers }: Answer): string | undefined => headers.get("content-security-policy")?.match(/frame-ancestors [^;]+/)?.[0];

describe("a frame in another site", () => {
  test.each([
    [null, "frame-ancestors 'none'", "DENY"],
    [[], "frame-ancestors *", null],
    [["https://example.org", "https://*.example.net:8443"], "frame-ancestors https://example.org https://*.example.net:8443", null],
  ] as const)("is allowed as its link says: %j", async (embed, policy, older) => {
    const { token, embed_url } = await share({ embed });
    expect(embed_url).toBe(embed === null ? null : `${cloud.url}/e/${token}`);
    const player = await stranger(`/e/${token}`);
    expect([player.status, policyOf(player), player.headers.get("x-frame-options")]).toEqual([200, policy, older]);
    expect(player.headers.get("content-security-policy")).toContain("connect-src 'self';");
    // The page with everything around it is never framed.
    const page = await stranger(`/s/${token}`);
    expect([policyOf(page), page.headers.get("x-frame-options")]).toEqual(["frame-ancestors 'none'", "DENY"]);
  });

  test("of a link that has ended shows that", async () => {
    const player = await stranger(`/e/${id}.${"A".repeat(32)}`);
    expect([player.status, policyOf(player)]).toEqual([404, "frame-ancestors *"]);
    expect(player.text).toContain("<title>app</title>");
  });
});

describe("a link in other sites", () => {
  test("has a title and a picture that anybody can load, and its name cannot break out of them", async () => {
    await cloud.call("PATCH", `/api/projects/${id}`, { body: { name: `"><script>alert(1)</script> & Söhne` } });
    const { token } = await share({ embed: [] });
    const { text, headers } = await stranger(`/s/${token}`);
    expect(text).toContain("&lt;script&gt;alert(1)");
    expect(text).not.toContain("<script>alert");
    expect(headers.get("etag")).toBeNull();
    const content = (name: string): string => text.match(new RegExp(`<meta (?:property|name)="${name}" content="([^"]*)">`))?.[1] ?? "";
    expect(content("og:title")).toBe("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp; Söhne");
    expect(content("og:url")).toBe(`${cloud.url}/s/${token}`);
    expect(content("twitter:card")).toBe("summary_large_image");
    const picture = await fetch(content("og:image"));
    expect([picture.status, picture.headers.get("content-type"), picture.headers.get("cross-origin-resource-policy"), await picture.text()]).toEqual([200, "image/webp", "cross-origin", "the poster"]);
    const discovery = text.match(/<link rel="alternate" type="application\/json\+oembed" href="([^"]+)"/)?.[1] ?? "";
    const oembed = (await (await fetch(discovery)).json()) as Record<string, unknown>;
    expect(oembed).toMatchObject({ version: "1.0", type: "rich", title: `"><script>alert(1)</script> & Söhne`, width: 960, height: 600 });
    expect(oembed["html"]).toContain(`<iframe src="${cloud.url}/e/${token}" title="&quot;&gt;&lt;script&gt;`);
    expect((await stranger((oembed["thumbnail_url"] as string).slice(cloud.url.length))).text).toBe("small");
    await cloud.call("PATCH", `/api/projects/${id}`, { body: { name: "Teapot" } });
  });

  test("is described within the size that a site asks for", async () => {
    const { url } = await share({ embed: [] });
    const ask = (query: string): Promise<Answer> => stranger(`/api/oembed?url=${encodeURIComponent(url)}${query}`);
    expect((await ask("&maxwidth=480")).json).toMatchObject({ width: 480, height: 300 });
    expect((await ask("&maxwidth=480&maxheight=200")).json).toMatchObject({ width: 480, height: 200 });
    expect((await ask("&format=xml")).status).toBe(501);
    expect((await ask("")).headers.get("access-control-allow-origin")).toBe("*");
    const closed = await share({});
    const answer = await stranger(`/api/oembed?url=${encodeURIComponent(closed.url)}`);
    expect([answer.json.type, answer.json.html]).toEqual(["link", undefined]);
    for (const other of ["", "https://elsewhere.example/s/x", `${cloud.url}/p/${id}`]) expect((await stranger(`/api/oembed?url=${encodeURIComponent(other)}`)).status).toBe(404);
  });

  test("counts who looks at the scene, and neither previews nor its owner", async () => {
    const { token } = await share({ embed: [] });
    const views = async (): Promise<number> => (await cloud.call("GET", `/api/projects/${id}/shares`)).json.shares.at(-1).views;
    await stranger(`/s/${token}`);
    await stranger(`/api/shared/${token}/cover`);
    await cloud.call("HEAD", `/api/shared/${token}`, { as: null });
    expect(await views()).toBe(0);
    await stranger(`/api/shared/${token}`);
    await stranger(`/api/shared/${token}`);
    expect(await views()).toBe(2);
  });
});

describe("the edit of a scene", () => {
  const put = (body: object, headers: Record<string, string> = {}, as: "upload" | "view" = "upload"): Promise<Answer> => cloud.call("PUT", `/api/projects/${id}/edit`, { as, body, headers });
  const undo = (): Promise<Answer> => cloud.call("POST", `/api/projects/${id}/edit/undo`, { as: "upload" });
  const plain = { version: 2, up: null, start: null, cover: null, crops: [], floaters: null, scale: null };
  const picture = (seed: number): string => Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(2000, seed)]).toString("base64");

  test("is shown to members and behind links, and each step can be undone", async () => {
    const { token } = await share({});
    const start = { position: [1, -0.5, 2], target: [0, 0, 0], fov: 60 };
    expect((await cloud.call("GET", `/api/projects/${id}`)).json).toMatchObject({ edit: null, edits: 0 });
    expect((await put({ ...plain, up: [0, -1, 0] })).json).toMatchObject({ edit: { up: [0, -1, 0], start: null }, edits: 1 });
    expect((await put({ ...plain, up: [0, -1, 0], start })).json.edits).toBe(2);
    expect((await stranger(`/api/shared/${token}`)).json.edit).toEqual({ ...plain, up: [0, -1, 0], start });
    expect((await undo()).json.edit.start).toBeNull();
    expect((await undo()).json).toMatchObject({ edit: null, edits: 0 });
    const none = await undo();
    expect([none.status, none.json.error.message]).toEqual([409, "There is no edit to undo."]);
  });

  test("may crop and clean the scene, in the form of the published recipe; the form before it is read and upgraded", async () => {
    const { crops, floaters, scale } = JSON.parse(await readFile(new URL("../../../docs/contracts/edit.json", import.meta.url), "utf8"));
    expect((await put({ ...plain, crops, floaters, scale })).json.edit).toEqual({ ...plain, crops, floaters, scale });
    expect((await put({ version: 1, up: [0, -1, 0], start: null, cover: null })).json.edit).toEqual({ ...plain, up: [0, -1, 0] });
    expect((await put({ ...plain, crops: [{ ...crops[1], radius: 0 }] })).status).toBe(400);
    expect((await put({ ...plain, crops: Array.from({ length: 9 }, () => crops[1]) })).status).toBe(400);
    await undo();
    expect((await undo()).json).toMatchObject({ edit: null, edits: 0 });
  });

  test("has the cover that was stored for it, also in the list and behind links", async () => {
    const { token } = await share({});
    const made = await cloud.call("POST", `/api/projects/${id}/covers`, { as: "upload", body: { image: picture(1), thumbnail: picture(2) } });
    expect(made.status).toBe(201);
    const edited = await put({ ...plain, cover: made.json.cover });
    expect(edited.json.cover.url).toMatch(/\/cover\?v=1\.1$/);
    const listed = (await cloud.call("GET", "/api/projects")).json.projects.find((one: { id: string }) => one.id === id);
    expect(listed.cover).toEqual(edited.json.cover);
    const small = await stranger(`/api/shared/${token}/cover?size=small`);
    expect([small.status, small.headers.get("content-type"), small.headers.get("x-content-type-options")]).toEqual([200, "image/jpeg", "nosniff"]);
    const etag = small.headers.get("etag") ?? "";
    expect((await stranger(`/api/shared/${token}/cover?size=small`, { "if-none-match": etag })).status).toBe(304);
    const large = await fetch(`${cloud.url}${edited.json.cover.url}`, { headers: { authorization: `Bearer ${cloud.tokens.view}` } });
    expect(Buffer.from(await large.arrayBuffer()).toString("base64")).toBe(picture(1));
    await undo();
    expect((await stranger(`/api/shared/${token}/cover?size=small`)).text).toBe("small");
    expect((await put({ ...plain, cover: 99 })).status).toBe(400);
  });

  test.each([
    [{ ...plain, version: 3 }],
    [{ ...plain, up: [0, 2, 0] }],
    [{ ...plain, start: { position: [1e9, 0, 0], target: [0, 0, 0], fov: 60 } }],
    [{ ...plain, crop: {} }],
    [{}],
  ])("%j is refused", async (body) => {
    expect((await put(body)).status).toBe(400);
  });

  test("of a version that was changed meanwhile is refused, as is one by somebody who may only look, and of a scene that is not done", async () => {
    expect((await put(plain, { "if-match": '"old"' })).status).toBe(412);
    expect((await put(plain, {}, "view")).status).toBe(403);
    const unfinished = await newProject(cloud);
    expect((await cloud.call("PUT", `/api/projects/${unfinished}/edit`, { body: plain })).status).toBe(409);
    const svg = Buffer.from("<svg onload=alert(1)>".padEnd(3000)).toString("base64");
    expect((await cloud.call("POST", `/api/projects/${id}/covers`, { body: { image: svg, thumbnail: svg } })).status).toBe(400);
  });

  test("applying has a price, and is refused where there is nothing to apply; only an attempt with a scene can be shown", async () => {
    const estimate = await cloud.call("GET", `/api/projects/${id}/edit/estimate`, { as: "view" });
    expect([estimate.status, estimate.json.refusal]).toEqual([200, null]);
    expect(estimate.json.usd).toBeGreaterThan(0);
    const apply = await cloud.call("POST", `/api/projects/${id}/edit/apply`, { as: "upload" });
    expect([apply.status, apply.json.error.message]).toEqual([409, "There is no edit that changes the scene's files."]);
    const also = await cloud.call("POST", `/api/projects/${id}/edit/apply`, { as: "upload", body: { also: ["scene.glb"] } });
    expect([also.status, also.json.error.message]).toEqual([409, "The scene has no scene.ply or cameras.json, so its files cannot be edited."]);
    expect((await cloud.call("PUT", `/api/projects/${id}/shown`, { as: "upload", body: { attempt: 1 } })).json).toMatchObject({ state: "done", shown: 1 });
    const missing = await cloud.call("PUT", `/api/projects/${id}/shown`, { as: "upload", body: { attempt: 2 } });
    expect([missing.status, missing.json.error.message]).toEqual([409, "Attempt 2 made no scene."]);
    const empty = await newProject(cloud);
    expect((await cloud.call("GET", `/api/projects/${empty}/edit/estimate`, { as: "view" })).status).toBe(409);
  });
});
