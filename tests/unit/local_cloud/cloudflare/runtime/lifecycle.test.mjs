// Deletion of objects, and the end of unfinished uploads, by lifecycle rules.
import assert from "node:assert/strict";
import { test } from "node:test";

import { expiredKeys, expiredUploads } from "../../../../../local_cloud/cloudflare/runtime/timers/lifecycle.mjs";

test("an enabled lifecycle rule deletes by prefix and age", () => {
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

test("an enabled lifecycle rule ends unfinished uploads by prefix and age", () => {
  const at = new Date("2026-11-23T00:00:00Z");
  const old = { key: "photos/old", at: new Date("2026-11-15T00:00:00Z") };
  const young = { key: "photos/young", at: new Date("2026-11-17T00:00:00Z") };
  const rule = { id: "a", enabled: true, conditions: { prefix: "" }, abortMultipartUploadsTransition: { condition: { type: "Age", maxAge: 7 * 86400 } } };
  assert.deepEqual(expiredUploads([rule], [old, young], at), [old]);
  assert.deepEqual(expiredUploads([{ ...rule, conditions: { prefix: "models/" } }], [old], at), []);
  assert.deepEqual(expiredUploads([{ ...rule, enabled: false }, { ...rule, abortMultipartUploadsTransition: undefined }], [old], at), []);
});
