// CORS answers from a bucket's rules.
import assert from "node:assert/strict";
import { test } from "node:test";

import { corsHeaders, preflightAnswer } from "../../../../../local_cloud/cloudflare/runtime/serving/cors.mjs";

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
