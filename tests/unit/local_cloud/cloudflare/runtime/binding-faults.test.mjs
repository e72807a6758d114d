// The module around a script: its bucket asks for faults, everything else passes untouched.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { MODULE, moduleText } from "../../../../../local_cloud/cloudflare/runtime/serving/binding-faults.mjs";

const SCRIPT = `
export class Project { constructor(ctx, env) { this.env = env; } read() { return this.env.BUCKET.get("key"); } }
export default { fetch: (request, env) => env.BUCKET.list({ prefix: request }), scheduled: (event, env) => env.TEXT };
`;

/** The module around SCRIPT, with a bucket that works and a list of answers to its questions (null: no fault). */
async function wrapped(t, faults) {
  const folder = await mkdtemp(path.join(tmpdir(), "binding-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(path.join(folder, "package.json"), '{"type":"module"}');
  await writeFile(path.join(folder, "index.js"), SCRIPT);
  const text = moduleText({ mainModule: "index.js", classes: ["Project"], buckets: ["BUCKET"], url: "http://front/strike" });
  await writeFile(path.join(folder, MODULE), text);
  const asked = [];
  t.mock.method(globalThis, "fetch", async (_url, { body }) => {
    asked.push(body);
    const fault = faults.shift() ?? null;
    return fault === null ? new Response(null, { status: 204 }) : Response.json(fault);
  });
  const env = { TEXT: "text", BUCKET: { get: async (key) => `content of ${key}`, list: async ({ prefix }) => [prefix] } };
  return { module: await import(pathToFileURL(path.join(folder, MODULE))), env, asked };
}

test("without a fault the bucket answers, after each operation was asked about", async (t) => {
  const { module, env, asked } = await wrapped(t, []);
  assert.equal(await new module.Project({}, env).read(), "content of key");
  assert.deepEqual(await module.default.fetch("photos/", env), ["photos/"]);
  assert.equal(module.default.scheduled({}, env), "text");
  assert.deepEqual(asked, ["/BUCKET/get/key", "/BUCKET/list/"]);
});

test("a fault fails one operation as R2 does", async (t) => {
  const { module, env } = await wrapped(t, [{ kind: "status" }]);
  const project = new module.Project({}, env);
  await assert.rejects(project.read(), /internal error.*10001/);
  assert.equal(await project.read(), "content of key");
});
