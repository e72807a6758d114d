// The account's history: one row an hour, for 90 days. Jobs and money come from the books, the rest from samples.
// Rows of a release without this table are made from the books at the first fold.
import type { Period } from "../../shared/contracts/operations.ts";

const SCHEMA = `CREATE TABLE IF NOT EXISTS hour (
  at INTEGER PRIMARY KEY, done INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0, cancelled INTEGER NOT NULL DEFAULT 0,
  usd REAL NOT NULL DEFAULT 0, wait_max_s REAL NOT NULL DEFAULT 0, queue_max INTEGER NOT NULL DEFAULT 0, workers_max INTEGER NOT NULL DEFAULT 0
)`;

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
const KEPT_MS = 90 * DAY_MS;
/** A worker that ran on after its attempt's end moves its settlement to a later hour: so far back, hours are counted again. */
const RECOUNTED_MS = DAY_MS;

/** What one look at the service shows. workers: that run a job; null: RunPod did not answer. */
export interface Sample {
  readonly waitS: number;
  readonly queue: number;
  readonly workers: number | null;
}

/** Figures of one hour or day that begins at `at`, ms. */
export type Row = Omit<Period, "at"> & { readonly at: number };

export class History {
  readonly #sql: SqlStorage;
  /** Whether the next fold counts hours again that are over. */
  #isRecountDue = true;

  /** The table `job` is in the same storage. */
  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#sql.exec(SCHEMA);
  }

  /** Attempts of hours that are over have changed in the books. */
  recount(): void {
    this.#isRecountDue = true;
  }

  /** Counts what the books gained, and takes in a sample. */
  fold(now: number, { waitS, queue, workers }: Sample): void {
    const hour = startOfHour(now);
    const { last } = this.#sql.exec("SELECT max(at) AS last FROM hour").one();
    const known = last === null ? startOfHour(now - KEPT_MS) : Number(last);
    const from = this.#isRecountDue ? Math.min(known, startOfHour(now - RECOUNTED_MS)) : known;
    this.#isRecountDue = false;
    this.#sql.exec("UPDATE hour SET done = 0, failed = 0, cancelled = 0, usd = 0 WHERE at >= ?", from);
    this.#sql.exec(
      `INSERT INTO hour (at, done, failed, cancelled, usd)
       SELECT CAST(settled_at / ? AS INTEGER) * ?, sum(outcome = 'done'), sum(outcome = 'failed'), sum(outcome = 'cancelled'), sum(usd)
       FROM job WHERE settled_at >= ? AND settled_at <= ? GROUP BY 1
       ON CONFLICT (at) DO UPDATE SET done = excluded.done, failed = excluded.failed, cancelled = excluded.cancelled, usd = excluded.usd`,
      HOUR_MS,
      HOUR_MS,
      from,
      now,
    );
    this.#sql.exec(
      `INSERT INTO hour (at, wait_max_s, queue_max, workers_max) VALUES (?, ?, ?, ?)
       ON CONFLICT (at) DO UPDATE SET wait_max_s = max(wait_max_s, excluded.wait_max_s), queue_max = max(queue_max, excluded.queue_max),
       workers_max = max(workers_max, excluded.workers_max)`,
      hour,
      Math.round(waitS),
      queue,
      workers ?? 0,
    );
    this.#sql.exec("DELETE FROM hour WHERE at < ?", startOfHour(now - KEPT_MS));
  }

  /** Stored rows from `since` (ms) on, oldest first, summed to periods of `lengthMs`. Those without a row are absent. */
  rows(since: number, lengthMs = HOUR_MS): Row[] {
    const rows = this.#sql.exec(
      `SELECT CAST(at / ? AS INTEGER) * ? AS at, sum(done) AS done, sum(failed) AS failed, sum(cancelled) AS cancelled, sum(usd) AS usd,
       max(wait_max_s) AS wait_max_s, max(queue_max) AS queue_max, max(workers_max) AS workers_max FROM hour WHERE at >= ? GROUP BY 1 ORDER BY 1`,
      lengthMs,
      lengthMs,
      since,
    );
    return rows.toArray() as unknown as Row[];
  }
}

export function startOfHour(now: number): number {
  return Math.floor(now / HOUR_MS) * HOUR_MS;
}

const EMPTY = { done: 0, failed: 0, cancelled: 0, usd: 0, wait_max_s: 0, queue_max: 0, workers_max: 0 } as const;

/**
 * `count` periods of `lengthMs` without a gap, oldest first; the last one holds `now`. rows: of hours or of such periods, in any order.
 * Periods begin at multiples of their length since 1970, so hours and days are those of UTC.
 */
export function periods(rows: readonly Row[], lengthMs: number, count: number, now: number): Period[] {
  const last = Math.floor(now / lengthMs) * lengthMs;
  const sums = Array.from({ length: count }, (_, index) => ({ ...EMPTY, at: last - (count - 1 - index) * lengthMs }) as { -readonly [K in keyof Row]: number });
  const first = last - (count - 1) * lengthMs;
  for (const row of rows) {
    const sum = sums[Math.floor((row.at - first) / lengthMs)];
    if (sum === undefined) continue;
    for (const name of ["done", "failed", "cancelled", "usd"] as const) sum[name] += row[name];
    for (const name of ["wait_max_s", "queue_max", "workers_max"] as const) sum[name] = Math.max(sum[name], row[name]);
  }
  return sums.map((sum) => ({ ...sum, at: new Date(sum.at).toISOString(), usd: Math.round(sum.usd * 1e4) / 1e4 }));
}

/** Of the jobs that succeeded or failed; null: none ended. */
export function successRate(past: readonly Pick<Period, "done" | "failed">[]): number | null {
  const done = past.reduce((sum, one) => sum + one.done, 0);
  const failed = past.reduce((sum, one) => sum + one.failed, 0);
  return done + failed === 0 ? null : done / (done + failed);
}
