// History: periods without gaps, and the account's table of hours, filled from the books of an older release and kept bounded.
import { env, runInDurableObject } from "cloudflare:test";
import { describe, expect, test } from "vitest";

import { DAY_MS, HOUR_MS, History, periods, startOfHour, successRate, type Row } from "../../../src/account/history.ts";

const NOW = Date.UTC(2026, 10, 30, 15, 20);
const row = (hoursAgo: number, more: Partial<Row> = {}): Row => ({
  at: startOfHour(NOW) - hoursAgo * HOUR_MS, done: 0, failed: 0, cancelled: 0, usd: 0, wait_max_s: 0, queue_max: 0, workers_max: 0, ...more,
});

describe("periods", () => {
  test("are the last hours without a gap, the current one last", () => {
    const hours = periods([row(0, { done: 1 }), row(2, { failed: 2, usd: 0.5 }), row(24, { done: 9 })], HOUR_MS, 24, NOW);
    expect(hours).toHaveLength(24);
    expect(hours.at(-1)).toMatchObject({ at: "2026-11-30T15:00:00.000Z", done: 1 });
    expect(hours.at(-2)).toMatchObject({ at: "2026-11-30T14:00:00.000Z", done: 0, usd: 0 });
    expect(hours.at(-3)).toMatchObject({ failed: 2, usd: 0.5 });
    expect(hours.reduce((sum, { done }) => sum + done, 0)).toBe(1);
  });

  test("add jobs and money to days of UTC, and take the highest of the rest", () => {
    const days = periods([row(15, { done: 1, usd: 0.1, wait_max_s: 30 }), row(14, { done: 2, usd: 0.2, wait_max_s: 10, workers_max: 2 }), row(16, { cancelled: 5 })], DAY_MS, 2, NOW);
    expect(days).toEqual([
      { at: "2026-11-29T00:00:00.000Z", done: 0, failed: 0, cancelled: 5, usd: 0, wait_max_s: 0, queue_max: 0, workers_max: 0 },
      { at: "2026-11-30T00:00:00.000Z", done: 3, failed: 0, cancelled: 0, usd: 0.3, wait_max_s: 30, queue_max: 0, workers_max: 2 },
    ]);
  });
});

test.each([
  [[], null],
  [[{ done: 0, failed: 0 }], null],
  [[{ done: 3, failed: 1 }, { done: 0, failed: 0 }], 0.75],
  [[{ done: 0, failed: 2 }], 0],
])("the success rate of %j is %s", (past, rate) => expect(successRate(past)).toBe(rate));

describe("the table of hours", () => {
  const IDLE = { waitS: 0, queue: 0, workers: 0 };
  type Work = (history: () => History, settle: (hoursAgo: number, outcome: string, usd: number) => void, sql: SqlStorage) => void;
  /** The account's storage as a release without this table left it: attempts in the books, and nothing else. */
  async function account(name: string, work: Work): Promise<void> {
    await runInDurableObject(env.INDEX.get(env.INDEX.idFromName(name)), (_index, { storage: { sql } }) => {
      sql.exec("DROP TABLE hour");
      let attempt = 0;
      const settle = (hoursAgo: number, outcome: string, usd: number): void => {
        const at = NOW - hoursAgo * HOUR_MS;
        attempt += 1;
        sql.exec("INSERT INTO job (project, attempt, started_at, expires_at, usd, settled_at, outcome, preset, photos) VALUES ('p', ?, ?, ?, ?, ?, ?, 'preview', 5)", attempt, at, at, usd, at, outcome);
      };
      work(() => new History(sql), settle, sql);
    });
  }

  test("is filled from the books of 90 days by the first fold, and by later folds with what was added", () =>
    account("older", (history, settle) => {
      settle(1, "done", 0.5);
      settle(1, "failed", 0.25);
      settle(50 * 24, "done", 0.125);
      settle(91 * 24, "done", 9);
      history().fold(NOW, IDLE);
      settle(0, "cancelled", 0.0625);
      history().fold(NOW, IDLE);
      history().fold(NOW, IDLE);
      const rows = history().rows(0).map(({ at, done, failed, cancelled, usd }) => [(startOfHour(NOW) - at) / HOUR_MS, done, failed, cancelled, usd]);
      expect(rows).toEqual([[50 * 24, 1, 0, 0, 0.125], [1, 1, 1, 0, 0.75], [0, 0, 0, 1, 0.0625]]);
    }));

  test("counts an attempt once whose settlement moved to a later hour", () =>
    account("moved", (history, settle, sql) => {
      settle(3, "failed", 1);
      history().fold(NOW, IDLE);
      sql.exec("UPDATE job SET settled_at = ?, usd = 2", NOW);
      history().fold(NOW, IDLE);
      expect(history().rows(0).filter(({ failed }) => failed > 0)).toMatchObject([{ at: startOfHour(NOW), usd: 2 }]);
    }));

  test("is counted again only where attempts of hours that are over have changed", () =>
    account("recount", (history, settle) => {
      const kept = history();
      kept.fold(NOW, IDLE);
      settle(3, "failed", 1);
      kept.fold(NOW, IDLE);
      expect(kept.rows(0).map(({ failed }) => failed)).toEqual([0]);
      kept.recount();
      kept.fold(NOW, IDLE);
      expect(kept.rows(0).map(({ failed }) => failed)).toEqual([1, 0]);
    }));

  test("is read in days as it adds up", () =>
    account("days", (history, settle) => {
      settle(0, "done", 0.5);
      settle(15, "done", 0.25);
      settle(16, "failed", 1);
      history().fold(NOW, { waitS: 7, queue: 1, workers: 2 });
      expect(history().rows(0, DAY_MS)).toEqual([
        { at: Date.UTC(2026, 10, 29), done: 0, failed: 1, cancelled: 0, usd: 1, wait_max_s: 0, queue_max: 0, workers_max: 0 },
        { at: Date.UTC(2026, 10, 30), done: 2, failed: 0, cancelled: 0, usd: 0.75, wait_max_s: 7, queue_max: 1, workers_max: 2 },
      ]);
    }));

  test("makes up for hours in which nothing ran", () =>
    account("gap", (history, settle) => {
      history().fold(NOW - 100 * HOUR_MS, IDLE);
      settle(60, "done", 1);
      history().fold(NOW, IDLE);
      expect(history().rows(0).map(({ done }) => done)).toEqual([0, 1, 0]);
    }));

  test("keeps the highest sample of an hour", () =>
    account("samples", (history) => {
      history().fold(NOW, { waitS: 10, queue: 3, workers: 1 });
      history().fold(NOW + 1000, { waitS: 40, queue: 1, workers: null });
      expect(history().rows(0)).toMatchObject([{ wait_max_s: 40, queue_max: 3, workers_max: 1 }]);
    }));

  test("has one row an hour and none older than 90 days", () =>
    account("bounded", (history) => {
      for (let hour = 0; hour < 100 * 24; hour += 1) history().fold(NOW + hour * HOUR_MS, IDLE);
      const rows = history().rows(0);
      expect(rows).toHaveLength(90 * 24 + 1);
      expect(rows[0]?.at).toBe(startOfHour(NOW + (100 * 24 - 1) * HOUR_MS) - 90 * DAY_MS);
    }));
});
