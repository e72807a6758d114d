// The account's running sums fit its rows after any change of them, and cost the same with any number of them.
import { env, runInDurableObject } from "cloudflare:test";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { Books } from "../../../src/account/books/books.ts";
import { DAY_MS } from "../../../src/account/history.ts";
import { Tally } from "../../../src/account/books/tally.ts";

const DAY = 20_700;
const KINDS = ["state", "outcome", "stage"] as const;

function inAccount<T>(name: string, work: (sql: SqlStorage) => T): Promise<T> {
  return runInDurableObject(env.INDEX.get(env.INDEX.idFromName(name)), (_index, { storage: { sql } }) => work(sql));
}

/** Every sum, from the running ones. */
function sums(sql: SqlStorage): unknown {
  const tally = new Tally(sql);
  return [KINDS.map((kind) => tally.all(kind)), [DAY, DAY + 1, DAY + 2].map((day) => [tally.from("started", day * DAY_MS), tally.from("settled", day * DAY_MS)])];
}

/** The same, added up from the rows as an upgrade does it. */
function addedUp(sql: SqlStorage): unknown {
  for (const { name } of sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'trigger'").toArray()) sql.exec(`DROP TRIGGER ${name}`);
  sql.exec("DROP TABLE tally");
  return sums(sql);
}

const project = fc.record({ kind: fc.constant("project" as const), id: fc.constantFrom("a", "b", "c"), state: fc.constantFrom("ready", "queued", "done") });
const removal = fc.record({ kind: fc.constant("removal" as const), id: fc.constantFrom("a", "b", "c") });
const start = fc.record({ kind: fc.constant("start" as const), attempt: fc.integer({ min: 1, max: 3 }), day: fc.integer({ min: DAY, max: DAY + 2 }) });
const end = fc.record({
  kind: fc.constant("end" as const),
  attempt: fc.integer({ min: 1, max: 3 }),
  day: fc.integer({ min: DAY, max: DAY + 2 }),
  outcome: fc.constantFrom("done", "failed"),
  usd: fc.constantFrom(0, 0.1, 0.2, 0.7),
  stages: fc.array(fc.record({ stage: fc.constantFrom("sfm", "train"), seconds: fc.constantFrom(0.1, 12.345) }), { maxLength: 3 }),
});
const late = fc.record({ kind: fc.constant("late" as const), attempt: fc.integer({ min: 1, max: 3 }), usd: fc.constantFrom(0.1, 0.3) });
const purge = fc.record({ kind: fc.constant("purge" as const), attempt: fc.integer({ min: 1, max: 3 }) });
type Of<A> = A extends fc.Arbitrary<infer T> ? T : never;
type Change = Of<typeof project> | Of<typeof removal> | Of<typeof start> | Of<typeof end> | Of<typeof late> | Of<typeof purge>;

function carryOut(sql: SqlStorage, change: Change): void {
  switch (change.kind) {
    case "project":
      return void sql.exec(
        "INSERT INTO project (id, created_at, state, version, view) VALUES (?, '', ?, 1, '{}') ON CONFLICT (id) DO UPDATE SET state = excluded.state",
        change.id,
        change.state,
      );
    case "removal":
      return void sql.exec("DELETE FROM project WHERE id = ?", change.id);
    case "start":
      return void sql.exec(
        "INSERT INTO job (project, attempt, started_at, expires_at, usd, preset, photos) VALUES ('a', ?, ?, 0, 0.5, 'preview', 5) ON CONFLICT DO NOTHING",
        change.attempt,
        change.day * DAY_MS + 1,
      );
    case "end":
      return void sql.exec(
        "UPDATE job SET settled_at = ?, outcome = ?, usd = ?, stages = ? WHERE attempt = ? AND settled_at IS NULL",
        change.day * DAY_MS + 2,
        change.outcome,
        change.usd,
        JSON.stringify(change.stages),
        change.attempt,
      );
    case "late":
      return void sql.exec("UPDATE job SET usd = usd + ?, settled_at = settled_at + ? WHERE attempt = ? AND settled_at IS NOT NULL", change.usd, DAY_MS, change.attempt);
    case "purge":
      return void sql.exec("DELETE FROM job WHERE attempt = ?", change.attempt);
  }
}

test("the sums fit the rows after any history", { timeout: 60_000 }, async () => {
  let number = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(project, removal, start, end, late, purge), { maxLength: 30 }), async (changes) => {
      number += 1;
      await inAccount(`tally ${number}`, (sql) => {
        for (const change of changes) carryOut(sql, change);
        expect(sums(sql)).toEqual(addedUp(sql));
      });
    }),
    { numRuns: 60 },
  );
});

test("nothing that is asked with each request reads more rows with more projects and attempts", () =>
  inAccount("growth", (sql) => {
    const now = DAY * DAY_MS + 5000;
    const add = (from: number, count: number): void => {
      for (let n = from; n < from + count; n += 1) {
        const at = now - (n % 300) * DAY_MS;
        sql.exec("INSERT INTO project (id, created_at, state, version, view) VALUES (?, '', 'done', 1, '{}')", `p${n}`);
        sql.exec(
          `INSERT INTO job (project, attempt, started_at, expires_at, usd, settled_at, outcome, preset, photos, stages, hooked)
           VALUES (?, 1, ?, 0, 0.5, ?, 'done', 'preview', 5, '[{"stage":"sfm","seconds":2}]', 1)`,
          ...[`p${n}`, at, at],
        );
      }
    };
    const books = new Books(sql);
    const read = (): Record<string, number> => {
      const figures = {
        ...{ byState: () => books.projectsByState(), outcomes: () => books.jobsByOutcome(), stages: () => books.stageSeconds() },
        ...{ usage: () => books.usage(now), lost: () => books.webhooksLost(0, now), wait: () => books.oldestWait(now), queued: () => books.count("queued") },
      };
      return Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, rowsRead(sql, figure)]));
    };
    add(0, 300);
    const few = read();
    add(300, 2700);
    expect(read()).toEqual(few);
    expect(books.jobsByOutcome()["done"]).toBe(3000);
  }));

/** Rows that the statements of `work` read. Its objects must have been given this storage. */
function rowsRead(sql: SqlStorage, work: () => unknown): number {
  const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
  const real = sql.exec.bind(sql);
  Object.defineProperty(sql, "exec", {
    configurable: true,
    value: (...given: Parameters<typeof real>) => {
      const cursor = real(...given);
      cursors.push(cursor);
      return cursor;
    },
  });
  try {
    work();
  } finally {
    Reflect.deleteProperty(sql, "exec");
  }
  return cursors.reduce((sum, cursor) => sum + cursor.rowsRead, 0);
}
