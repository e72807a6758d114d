// Deletion of objects by lifecycle rules.
import assert from "node:assert/strict";
import { test } from "node:test";

import { expiredKeys } from "../../../../../local_cloud/cloudflare/runtime/timers/lifecycle.mjs";

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
