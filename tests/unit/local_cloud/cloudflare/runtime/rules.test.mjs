// What the runtime refuses, as the real service does, and what it computes.
import assert from "node:assert/strict";
import { test } from "node:test";

import { RULES, Refused, allowedBuckets, migrate } from "../../../../../local_cloud/cloudflare/runtime/control/rules.mjs";

const BUCKET = { type: "R2Bucket", id: "photos", props: { jurisdiction: "default" } };
const world = {
  get: (type, id) => [BUCKET, { type: "WorkersScript", id: "edge", props: {} }].find((one) => one.type === type && one.id === id),
  now: () => "2026-11-23T00:00:00.000Z",
};
const SCRIPT = { mainModule: "index.js", compatibilityDate: "2026-10-20" };
const POLICY = { effect: "allow", resources: '{"com.cloudflare.edge.r2.bucket.acc_default_photos":"*"}' };

const refusals = [
  ["a bucket name with capitals", "R2Bucket", "Photos", {}, "INVALID_BUCKET_NAME"],
  ["a bucket name of two letters", "R2Bucket", "ab", {}, "INVALID_BUCKET_NAME"],
  ["a bucket name that differs from the address", "R2Bucket", "photos", { name: "other" }, "INVALID_BUCKET_NAME"],
  ["a jurisdiction that there is not", "R2Bucket", "photos2", { jurisdiction: "mars" }, "INVALID_VALUE"],
  ["CORS of a bucket that there is not", "R2BucketCors", "nowhere", {}, "NO_SUCH_BUCKET"],
  ["CORS in another jurisdiction than the bucket's", "R2BucketCors", "photos", { jurisdiction: "eu" }, "NO_SUCH_BUCKET"],
  ["CORS without an origin", "R2BucketCors", "photos", { rules: [{ allowed: { methods: ["GET"], origins: [] } }] }, "INVALID_CORS"],
  ["CORS for a method that R2 does not take", "R2BucketCors", "photos", { rules: [{ allowed: { methods: ["PATCH"], origins: ["*"] } }] }, "INVALID_VALUE"],
  ["a lifecycle rule without a prefix", "R2BucketLifecycle", "photos", { rules: [{ id: "a", enabled: true }] }, "INVALID_LIFECYCLE"],
  ["a token without policies", "AccountToken", "t", { name: "t" }, "INVALID_TOKEN"],
  ["a token whose resources are not JSON", "AccountToken", "t", { name: "t", policies: [{ effect: "allow", resources: "{" }] }, "INVALID_TOKEN"],
  ["a script in service-worker syntax", "WorkersScript", "edge", { compatibilityDate: "2026-10-20" }, "NO_MAIN_MODULE"],
  ["a script without a date", "WorkersScript", "edge", { mainModule: "a.js" }, "INVALID_COMPATIBILITY_DATE"],
  ["a binding that is not served here", "WorkersScript", "edge", { ...SCRIPT, bindings: [{ name: "AI", type: "ai" }] }, "NOT_SIMULATED"],
  ["a binding that is declared twice", "WorkersScript", "edge", { ...SCRIPT, bindings: [{ name: "A", type: "assets" }, { name: "A", type: "assets" }] }, "DUPLICATE_BINDING"],
  ["a binding without its field", "WorkersScript", "edge", { ...SCRIPT, bindings: [{ name: "A", type: "plain_text" }] }, "INVALID_BINDING"],
  ["a bucket binding to nothing", "WorkersScript", "edge", { ...SCRIPT, bindings: [{ name: "B", type: "r2_bucket", bucketName: "nowhere" }] }, "NO_SUCH_BUCKET"],
  ["a rate limit over a minute and a half", "WorkersScript", "edge", { ...SCRIPT, bindings: [{ name: "R", type: "ratelimit", namespaceId: "1", simple: { limit: 1, period: 90 } }] }, "INVALID_VALUE"],
  ["an object's class that no migration made", "WorkersScript", "edge", { ...SCRIPT, bindings: [{ name: "P", type: "durable_object_namespace", className: "P" }] }, 10061],
  ["a subdomain of a script that there is not", "WorkersScriptSubdomain", "nowhere", { enabled: true }, "NO_SUCH_SCRIPT"],
  ["a cron of a script that there is not", "WorkersCronTrigger", "nowhere", { schedules: [] }, "NO_SUCH_SCRIPT"],
];

for (const [what, type, id, props, code] of refusals) {
  test(`${what} is refused`, () => {
    assert.throws(() => RULES[type](id, props, world), (error) => error instanceof Refused && error.code === code);
  });
}

test("a bucket keeps where and when it was made", () => {
  const first = RULES.R2Bucket("photos", { location: "EEUR" }, world);
  assert.deepEqual(first, { name: "photos", jurisdiction: "default", storageClass: "Standard", location: "EEUR", creationDate: "2026-11-23T00:00:00.000Z" });
  const later = { ...world, now: () => "2027-01-01T00:00:00.000Z" };
  const second = RULES.R2Bucket("photos", { location: "WNAM", storageClass: "InfrequentAccess" }, later, { props: first });
  assert.deepEqual([second.location, second.creationDate, second.storageClass], ["EEUR", "2026-11-23T00:00:00.000Z", "InfrequentAccess"]);
  assert.throws(() => RULES.R2Bucket("photos", { jurisdiction: "eu" }, world, { props: first }), { code: "NO_SUCH_BUCKET" });
});

test("a token keeps its value when its policies change", () => {
  const first = RULES.AccountToken("id1", { name: "s3", policies: [POLICY] }, world);
  assert.match(first.value, /^[\w-]{40}$/);
  const second = RULES.AccountToken("id1", { name: "s3", policies: [POLICY, POLICY] }, world, { props: first });
  assert.equal(second.value, first.value);
});

test("a token opens the buckets that its policies name, while it is active", () => {
  const token = { policies: [POLICY, { effect: "deny", resources: { "com.cloudflare.edge.r2.bucket.acc_default_secret": "*" } }] };
  assert.deepEqual(allowedBuckets(token), ["photos"]);
  assert.deepEqual(allowedBuckets({ policies: [{ effect: "allow", resources: { "com.cloudflare.api.account.acc": "*" } }] }), ["*"]);
  assert.deepEqual(allowedBuckets({ ...token, status: "disabled" }), []);
  assert.deepEqual(allowedBuckets({ ...token, expiresOn: "2020-01-01T00:00:00Z" }), []);
});

test("a migration is taken only on top of the deployed tag", () => {
  const first = migrate("edge", { newTag: "v1", newSqliteClasses: ["P"] }, undefined);
  assert.deepEqual(first, { tag: "v1", classes: [{ name: "P", sqlite: true }] });
  const deployed = { props: { migrationTag: "v1" }, classes: first.classes };
  assert.deepEqual(migrate("edge", undefined, deployed), first);
  assert.deepEqual(migrate("edge", { oldTag: "v1", newTag: "v1" }, deployed), first);
  assert.throws(() => migrate("edge", { newTag: "v1", newSqliteClasses: ["P"] }, deployed), { code: 10079 });
  assert.throws(() => migrate("edge", { oldTag: "v0", newTag: "v2" }, deployed), { code: 10079 });
  assert.deepEqual(migrate("edge", { oldTag: "v1", newTag: "v2", newSqliteClasses: ["Q"], deletedClasses: ["P"] }, deployed), {
    tag: "v2",
    classes: [{ name: "Q", sqlite: true }],
  });
  assert.throws(() => migrate("edge", { oldTag: "v1", newTag: "v2", newSqliteClasses: ["P"] }, deployed), { code: "CLASS_EXISTS" });
});
