// The runtime's pure parts: options for workerd, CORS answers, cron times, lifecycle rules, signatures.
import assert from "node:assert/strict";
import { createHmac, createHash } from "node:crypto";
import { test } from "node:test";

import { corsHeaders, preflightAnswer } from "../../../../../local_cloud/cloudflare/runtime/cors.mjs";
import { isDue } from "../../../../../local_cloud/cloudflare/runtime/cron.mjs";
import { expiredKeys } from "../../../../../local_cloud/cloudflare/runtime/lifecycle.mjs";
import { STORAGE_WORKER, workerOptions } from "../../../../../local_cloud/cloudflare/runtime/options.mjs";
import { signOver } from "../../../../../local_cloud/cloudflare/runtime/sigv4.mjs";

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

const RULES = [{ allowed: { methods: ["PUT", "GET"], origins: ["https://app.example"], headers: ["Content-Type"] }, exposeHeaders: ["ETag"], maxAgeSeconds: 60 }];

test("CORS names the origin that a rule names, and nothing else", () => {
  assert.deepEqual(corsHeaders(RULES, "https://app.example", "PUT"), {
    "access-control-allow-origin": "https://app.example",
    vary: "Origin",
    "access-control-expose-headers": "ETag",
  });
  assert.deepEqual(corsHeaders(RULES, "https://evil.example", "PUT"), {});
  assert.deepEqual(corsHeaders(RULES, "https://app.example", "DELETE"), {});
  assert.deepEqual(corsHeaders(RULES, undefined, "PUT"), {});
});

test("a preflight is answered by origin, method and headers", () => {
  const ask = (origin, method, headers) => preflightAnswer(RULES, origin, { "access-control-request-method": method, ...(headers ? { "access-control-request-headers": headers } : {}) });
  assert.deepEqual(ask("https://app.example", "PUT", "content-type").headers, {
    "access-control-allow-origin": "https://app.example",
    vary: "Origin",
    "access-control-expose-headers": "ETag",
    "access-control-allow-methods": "PUT, GET",
    "access-control-allow-headers": "content-type",
    "access-control-max-age": "60",
  });
  assert.equal(ask("https://app.example", "PUT", "content-type, x-other").status, 403);
  assert.equal(ask("https://evil.example", "PUT").status, 403);
  assert.equal(ask("https://app.example", undefined).status, 403);
});

const cronRows = [
  ["* * * * *", "2026-11-23T10:07:30Z", true],
  ["17 * * * *", "2026-11-23T10:17:00Z", true],
  ["17 * * * *", "2026-11-23T10:18:00Z", false],
  ["*/15 9-17 * * 1-5", "2026-11-23T17:45:00Z", true],
  ["*/15 9-17 * * 1-5", "2026-11-22T17:45:00Z", false],
  ["0 0 1 * 7", "2026-11-22T00:00:00Z", true],
  ["0 0 1 * 7", "2026-12-01T00:00:00Z", true],
  ["0 0 1 * 7", "2026-12-02T00:00:00Z", false],
  ["5,10 0 * 2 *", "2026-02-03T00:10:00Z", true],
];
for (const [expression, at, due] of cronRows) {
  test(`cron "${expression}" is ${due ? "" : "not "}due at ${at}`, () => assert.equal(isDue(expression, new Date(at)), due));
}
for (const bad of ["* * * *", "61 * * * *", "a * * * *", "5-1 * * * *", "*/0 * * * *"]) {
  test(`cron "${bad}" is refused`, () => assert.throws(() => isDue(bad, new Date())));
}

test("a lifecycle rule deletes by prefix and age, if it is enabled", () => {
  const at = new Date("2026-11-23T00:00:00Z");
  const old = { key: "uploads/old", uploaded: new Date("2026-11-01T00:00:00Z") };
  const young = { key: "uploads/young", uploaded: new Date("2026-11-22T00:00:00Z") };
  const other = { key: "models/old", uploaded: new Date("2026-11-01T00:00:00Z") };
  const rule = { id: "a", enabled: true, conditions: { prefix: "uploads/" }, deleteObjectsTransition: { condition: { type: "Age", maxAge: 7 * 86400 } } };
  assert.deepEqual(expiredKeys([rule], [old, young, other], at), ["uploads/old"]);
  assert.deepEqual(expiredKeys([{ ...rule, enabled: false }], [old], at), []);
  assert.deepEqual(expiredKeys([{ ...rule, deleteObjectsTransition: { condition: { type: "Date", date: "2026-11-22" } } }], [young], at), ["uploads/young"]);
  assert.deepEqual(expiredKeys([{ ...rule, deleteObjectsTransition: undefined }], [old], at), []);
});

// The example of AWS's documentation "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
const AWS_EXAMPLE = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  url: "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
};

test("a genuine signature (AWS's own example) is signed over to the inner key", () => {
  const request = { method: "GET", url: new URL(AWS_EXAMPLE.url), headers: { host: "examplebucket.s3.amazonaws.com" } };
  const { url } = signOver(request, (id) => (id === AWS_EXAMPLE.accessKeyId ? AWS_EXAMPLE.secret : undefined), KEY);
  assert.equal(url.searchParams.get("X-Amz-Credential"), "in/20130524/us-east-1/s3/aws4_request");
  assert.equal(url.searchParams.get("X-Amz-Signature"), innerSignature(url));
});

test("headers that are rewritten on the way are left out of the inner signature", () => {
  const headers = { host: "h", "accept-encoding": "identity", range: "bytes=0-1", "x-amz-date": "20130524T000000Z", "x-amz-content-sha256": "UNSIGNED-PAYLOAD" };
  const signed = Object.keys(headers).sort();
  const authorize = (names, key) => {
    const canonical = `GET\n/b/k\n\n${names.map((name) => `${name}:${headers[name]}\n`).join("")}\n${names.join(";")}\nUNSIGNED-PAYLOAD`;
    const scope = "20130524/auto/s3/aws4_request";
    const toSign = `AWS4-HMAC-SHA256\n20130524T000000Z\n${scope}\n${createHash("sha256").update(canonical).digest("hex")}`;
    const signing = scope.split("/").reduce((secret, part) => createHmac("sha256", secret).update(part).digest(), `AWS4${key.secretAccessKey}`);
    const signature = createHmac("sha256", signing).update(toSign).digest("hex");
    return `AWS4-HMAC-SHA256 Credential=${key.accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  };
  const outer = { accessKeyId: "client", secretAccessKey: "known" };
  const request = { method: "GET", url: new URL("https://h/b/k"), headers: { ...headers, authorization: authorize(signed, outer) } };
  const over = signOver(request, () => outer.secretAccessKey, KEY);
  assert.equal(over.headers.authorization, authorize(signed.filter((name) => name !== "accept-encoding"), KEY));
});

test("a wrong signature stays wrong under the inner key, and an unknown key stays unknown", () => {
  const request = { method: "PUT", url: new URL(AWS_EXAMPLE.url), headers: { host: "examplebucket.s3.amazonaws.com" } };
  const tampered = signOver(request, () => AWS_EXAMPLE.secret, KEY).url;
  assert.equal(tampered.searchParams.get("X-Amz-Signature"), request.url.searchParams.get("X-Amz-Signature"));
  assert.notEqual(tampered.searchParams.get("X-Amz-Signature"), innerSignature(tampered));
  assert.equal(signOver(request, () => undefined, KEY).url, request.url);
  const unsigned = { method: "GET", url: new URL("https://h/b/k"), headers: { host: "h" } };
  assert.equal(signOver(unsigned, () => "s", KEY).url, unsigned.url);
});

/** The signature of the example's request under the inner key, written out from AWS's rules. */
function innerSignature(url) {
  const canonicalQuery = [...url.searchParams]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .sort()
    .join("&");
  const canonical = `GET\n/test.txt\n${canonicalQuery}\nhost:examplebucket.s3.amazonaws.com\n\nhost\nUNSIGNED-PAYLOAD`;
  const scope = "20130524/us-east-1/s3/aws4_request";
  const toSign = `AWS4-HMAC-SHA256\n20130524T000000Z\n${scope}\n${createHash("sha256").update(canonical).digest("hex")}`;
  const key = scope.split("/").reduce((secret, part) => createHmac("sha256", secret).update(part).digest(), `AWS4${KEY.secretAccessKey}`);
  return createHmac("sha256", key).update(toSign).digest("hex");
}
