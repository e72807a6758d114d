// What the account's tables of projects and attempts add up to: usage, waits, outcomes, seconds, lost webhooks.
// Reads only: sums of everything from the tally, the rest by an index. index-object.ts has the tables and writes them.
import { STATES } from "../../../shared/stages.ts";
import { startOfDay, startOfMonth, type Usage } from "../quota.ts";
import { Tally, type Sum } from "./tally.ts";

/** A webhook that has not come so long after the end of its job (ms) is lost. RunPod repeats one twice, 10 s apart. */
export const WEBHOOK_LATE_MS = 10 * 60_000;

export class Books {
  readonly #sql: SqlStorage;
  readonly #tally: Tally;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#tally = new Tally(sql);
  }

  projectsByState(): Readonly<Record<string, number>> {
    return { ...Object.fromEntries(STATES.map((state) => [state, 0])), ...numbers(this.#tally.all("state")) };
  }

  jobsByOutcome(): Readonly<Record<string, number>> {
    return { done: 0, failed: 0, cancelled: 0, ...numbers(this.#tally.all("outcome")) };
  }

  usage(now: number): Usage {
    const under = this.#sql.exec("SELECT count(*) AS n, coalesce(sum(usd), 0) AS usd FROM job WHERE settled_at IS NULL AND expires_at > ?", now).one();
    return {
      jobsToday: this.#tally.from("started", startOfDay(now)).n,
      jobsNow: Number(under["n"]),
      usdThisMonth: this.usdOfDays(startOfMonth(now)) + Number(under["usd"]),
    };
  }

  /** Projects in a state. */
  count(state: string): number {
    return Number(this.#sql.exec("SELECT count(*) AS n FROM project WHERE state = ?", state).one()["n"]);
  }

  /** Attempts that ended since then (ms), by outcome. */
  outcomesSince(since: number): Readonly<Record<string, number>> {
    const rows = this.#sql.exec("SELECT outcome, count(*) AS n FROM job WHERE settled_at >= ? GROUP BY outcome", since);
    return Object.fromEntries([...rows].map((row) => [String(row["outcome"]), Number(row["n"])]));
  }

  /** Of jobs that succeeded since `since` (ms): RunPod sends a webhook about each. */
  webhooksLost(since: number, now: number): number {
    const sql = "SELECT count(*) AS n FROM job INDEXED BY job_webhook_due WHERE outcome = 'done' AND hooked = 0 AND settled_at >= ? AND settled_at < ?";
    return Number(this.#sql.exec(sql, since, now - WEBHOOK_LATE_MS).one()["n"]);
  }

  /** How long the job that was submitted first has waited, ms; 0: none waits. */
  oldestWait(now: number): number {
    const sql = "SELECT min(job.started_at) AS at FROM job JOIN project ON project.id = job.project WHERE job.settled_at IS NULL AND project.state = 'queued'";
    const { at } = this.#sql.exec(sql).one();
    return at === null ? 0 : Math.max(0, now - Number(at));
  }

  /** US dollars of attempts that ended from `since` (ms, where a day begins) on. */
  usdOfDays(since: number): number {
    return this.#tally.from("settled", since).amount;
  }

  stageSeconds(): Readonly<Record<string, { readonly jobs: number; readonly seconds: number }>> {
    return Object.fromEntries(Object.entries(this.#tally.all("stage")).map(([stage, { n, amount }]) => [stage, { jobs: n, seconds: amount }]));
  }
}

function numbers(sums: Readonly<Record<string, Sum>>): Record<string, number> {
  return Object.fromEntries(Object.entries(sums).map(([name, { n }]) => [name, n]));
}
