// What the account's tables of projects and attempts add up to: usage, waits, outcomes, seconds, lost webhooks.
// Reads only; index-object.ts has the tables and writes them.
import { STATES } from "../../shared/stages.ts";
import { startOfDay, startOfMonth, type Usage } from "./quota.ts";

/** A webhook that has not come so long after the end of its job (ms) is lost. RunPod repeats one twice, 10 s apart. */
export const WEBHOOK_LATE_MS = 10 * 60_000;

export class Books {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  projectsByState(): Readonly<Record<string, number>> {
    const rows = this.#sql.exec("SELECT state, count(*) AS n FROM project GROUP BY state");
    return { ...Object.fromEntries(STATES.map((state) => [state, 0])), ...counts(rows, "state") };
  }

  jobsByOutcome(): Readonly<Record<string, number>> {
    const rows = this.#sql.exec("SELECT outcome, count(*) AS n FROM job WHERE outcome IS NOT NULL GROUP BY outcome");
    return { done: 0, failed: 0, cancelled: 0, ...counts(rows, "outcome") };
  }

  usage(now: number): Usage {
    const under = this.#sql.exec("SELECT count(*) AS n, coalesce(sum(usd), 0) AS usd FROM job WHERE settled_at IS NULL AND expires_at > ?", now).one();
    const today = this.#sql.exec("SELECT count(*) AS n FROM job WHERE started_at >= ?", startOfDay(now)).one();
    return {
      jobsToday: Number(today["n"]),
      jobsNow: Number(under["n"]),
      usdThisMonth: this.settledSince(startOfMonth(now)) + Number(under["usd"]),
    };
  }

  /** Projects in a state. */
  count(state: string): number {
    return Number(this.#sql.exec("SELECT count(*) AS n FROM project WHERE state = ?", state).one()["n"]);
  }

  /** Attempts that ended since then (ms), by outcome. */
  outcomesSince(since: number): Readonly<Record<string, number>> {
    const rows = this.#sql.exec("SELECT outcome, count(*) AS n FROM job WHERE settled_at >= ? GROUP BY outcome", since);
    return counts(rows, "outcome");
  }

  /** Of jobs that succeeded since `since` (ms): RunPod sends a webhook about each. */
  webhooksLost(since: number, now: number): number {
    const sql = "SELECT count(*) AS n FROM job WHERE outcome = 'done' AND hooked = 0 AND settled_at >= ? AND settled_at < ?";
    return Number(this.#sql.exec(sql, since, now - WEBHOOK_LATE_MS).one()["n"]);
  }

  /** How long the job that was submitted first has waited, ms; 0: none waits. */
  oldestWait(now: number): number {
    const sql = "SELECT min(job.started_at) AS at FROM job JOIN project ON project.id = job.project WHERE job.settled_at IS NULL AND project.state = 'queued'";
    const { at } = this.#sql.exec(sql).one();
    return at === null ? 0 : Math.max(0, now - Number(at));
  }

  /** US dollars of attempts that ended since then (ms). */
  settledSince(since: number): number {
    return Number(this.#sql.exec("SELECT coalesce(sum(usd), 0) AS usd FROM job WHERE settled_at >= ?", since).one()["usd"]);
  }

  stageSeconds(): Readonly<Record<string, { readonly jobs: number; readonly seconds: number }>> {
    const rows = this.#sql.exec(
      `SELECT json_extract(each.value, '$.stage') AS stage, count(*) AS jobs, sum(json_extract(each.value, '$.seconds')) AS seconds
       FROM job, json_each(job.stages) AS each WHERE job.outcome = 'done' GROUP BY 1`,
    );
    return Object.fromEntries([...rows].map((row) => [String(row["stage"]), { jobs: Number(row["jobs"]), seconds: Number(row["seconds"]) }]));
  }
}

function counts(rows: Iterable<Record<string, SqlStorageValue>>, column: string): Record<string, number> {
  return Object.fromEntries([...rows].map((row) => [String(row[column]), Number(row["n"])]));
}
