// Declared resources as options of miniflare.
import assert from "node:assert/strict";
import { test } from "node:test";

import { STORAGE_WORKER, workerOptions } from "../../../../../local_cloud/cloudflare/runtime/serving/options.mjs";

const KEY = { accessKeyId: "in", secretAccessKey: "side" };

test("every binding type becomes one of miniflare's", () => {
  const bindings = [
    { name: "ASSETS", type: "assets" },
    { name: "P", type: "durable_object_namespace", className: "Project" },
    { name: "J", type: "json", json: '{"a":1}' },
    { name: "T", type: "plain_text", text: "t" },
    { name: "B", type: "r2_bucket", bucketName: "photos" },
    { name: "R", type: "ratelimit", namespaceId: 7, simple: { limit: 5, period: "10" } },
    { name: "S", type: "secret_text", text: "s" },
  ];
  const script = {
    id: "edge",
    directory: "/state/edge",
    contents: "export default {}",
    classes: [{ name: "Project", sqlite: true }],
    props: { mainModule: "index.js", compatibilityDate: "2026-10-20", bindings, assets: { directory: "/dist/web", config: { notFoundHandling: "single-page-application", runWorkerFirst: ["/api/*"] } } },
  };
  const [first, second] = workerOptions({ scripts: [script], buckets: [{ id: "photos" }], served: "edge", internalKey: KEY });
  assert.equal(second.config.name, STORAGE_WORKER);
  assert.deepEqual(first.config.env, {
    ASSETS: { type: "assets" },
    P: { type: "durable-object", worker: "edge", exportName: "Project" },
    J: { type: "json", value: { a: 1 } },
    T: { type: "text", value: "t" },
    B: { type: "r2", name: "photos", dev: { experimentalS3Credentials: KEY } },
    R: { type: "rate-limit", namespace: "7", simple: { limit: 5, period: 10 } },
    S: { type: "text", value: "s" },
  });
  assert.deepEqual(first.config.exports, { Project: { type: "durable-object", storage: "sqlite" } });
  assert.deepEqual(first.config.assets, { directory: "/state/edge/assets", hasUserWorker: true, notFoundHandling: "single-page-application", runWorkerFirst: ["/api/*"] });
});

test("while no script is served, the storage worker answers first", () => {
  const [first] = workerOptions({ scripts: [], buckets: [{ id: "photos" }], served: undefined, internalKey: KEY });
  assert.equal(first.config.name, STORAGE_WORKER);
});

test("bucket faults put a module around a script that binds a bucket, and around no other", () => {
  const script = (bindings) => ({ id: "edge", directory: "/d", contents: "", classes: [], props: { mainModule: "index.js", compatibilityDate: "2026-10-20", bindings } });
  const manifest = (bindings, strikeUrl) => workerOptions({ scripts: [script(bindings)], buckets: [], served: "edge", internalKey: KEY, strikeUrl })[0].config.manifest;
  const bucket = [{ name: "B", type: "r2_bucket", bucketName: "photos" }];
  assert.deepEqual(Object.keys(manifest(bucket, "http://front/strike").modules), ["index.js", "local-binding-faults.js"]);
  assert.equal(manifest(bucket, "http://front/strike").mainModule, "local-binding-faults.js");
  assert.equal(manifest(bucket, undefined).mainModule, "index.js");
  assert.equal(manifest([], "http://front/strike").mainModule, "index.js");
});
