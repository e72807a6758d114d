import { expect, test } from "vitest";

import { fetchAgainIn, nextRestore, reasonFor } from "../../src/scene/recovery.ts";

test("a broken connection or a busy server is tried for half a minute, a missing file is not", () => {
  for (const status of [0, 429, 502, 503]) {
    const waits: number[] = [];
    for (let n = 1, wait = fetchAgainIn(n, status); wait !== null; n += 1, wait = fetchAgainIn(n, status)) waits.push(wait);
    expect([status, waits.length >= 3, waits.reduce((sum, one) => sum + one, 0) >= 30_000]).toEqual([status, true, true]);
  }
  expect([401, 403, 404].map((status) => fetchAgainIn(1, status))).toEqual([null, null, null]);
});

test("a lost scene comes back by itself, but not for ever", () => {
  expect([0, 1, 2, 3].map((restores) => nextRestore(restores, 0))).toEqual([1, 2, null, null]);
  expect(nextRestore(2, 60_000)).toBe(1);
});

test("every failure has its own reason and a next step", () => {
  const reasons = [reasonFor({ is: "fetch", status: 0 }), reasonFor({ is: "fetch", status: 404 }), reasonFor({ is: "fetch", status: 502 }), reasonFor({ is: "part" }), reasonFor({ is: "engine" }), reasonFor({ is: "file" })];
  expect(new Set(reasons.map(({ message }) => message)).size).toBe(reasons.length);
  for (const { message, hint } of reasons) expect([message.endsWith("."), hint.length > 10]).toEqual([true, true]);
});
