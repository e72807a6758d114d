// Cron expressions.
import assert from "node:assert/strict";
import { test } from "node:test";

import { isDue } from "../../../../../local_cloud/cloudflare/runtime/timers/cron.mjs";

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
  test(`cron "${bad}" is rejected`, () => assert.throws(() => isDue(bad, new Date())));
}
