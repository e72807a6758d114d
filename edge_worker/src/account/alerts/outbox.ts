// Alerts that are open, and reports that have not arrived yet, in the account's storage.
// Reports leave in order: one that cannot be delivered holds the others up until it arrives or is given up.
import { parseJson } from "../../schema.ts";
import type { Notice } from "./message.ts";
import type { Open } from "./rules.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS alert (one INTEGER PRIMARY KEY CHECK (one = 1), open TEXT NOT NULL, last TEXT);
  CREATE TABLE IF NOT EXISTS alert_report (
    id TEXT PRIMARY KEY, at INTEGER NOT NULL, notice TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL
  );
`;

const MINUTE_MS = 60_000;
/** Pauses after each try, ms; after the last one the report is given up. Half a day in all. */
export const PAUSES_MS = [5_000, MINUTE_MS, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * 60 * MINUTE_MS, 9 * 60 * MINUTE_MS] as const;
/** While a receiver is down, the oldest reports are dropped beyond so many. */
const REPORTS_MAX = 100;

export interface Report {
  readonly id: string;
  /** When it was made, ms. */
  readonly at: number;
  readonly notice: Notice;
  readonly tries: number;
  /** When to send it, ms. */
  readonly due: number;
}

export interface Delivery {
  readonly at: number;
  readonly ok: boolean;
  readonly detail: string;
}

export class Outbox {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#sql.exec(SCHEMA);
    this.#sql.exec("INSERT OR IGNORE INTO alert (one, open) VALUES (1, '[]')");
  }

  get open(): Open[] {
    return (parseJson(String(this.#sql.exec("SELECT open FROM alert").one()["open"])) ?? []) as Open[];
  }

  set open(open: readonly Open[]) {
    this.#sql.exec("UPDATE alert SET open = ?", JSON.stringify(open));
  }

  get last(): Delivery | null {
    const { last } = this.#sql.exec("SELECT last FROM alert").one();
    return typeof last === "string" ? (parseJson(last) as Delivery) : null;
  }

  noteDelivery(delivery: Delivery): void {
    this.#sql.exec("UPDATE alert SET last = ?", JSON.stringify(delivery));
  }

  add(id: string, notice: Notice, now: number): void {
    this.#sql.exec("INSERT INTO alert_report (id, at, notice, due) VALUES (?, ?, ?, ?)", id, now, JSON.stringify(notice), now);
    this.#sql.exec("DELETE FROM alert_report WHERE rowid NOT IN (SELECT rowid FROM alert_report ORDER BY rowid DESC LIMIT ?)", REPORTS_MAX);
  }

  /** The report that leaves next, or null. */
  next(): Report | null {
    const [row] = this.#sql.exec("SELECT * FROM alert_report ORDER BY rowid LIMIT 1").toArray();
    return row === undefined ? null : ({ ...row, notice: parseJson(String(row["notice"])) } as unknown as Report);
  }

  get waiting(): number {
    return Number(this.#sql.exec("SELECT count(*) AS n FROM alert_report").one()["n"]);
  }

  remove(id: string): void {
    this.#sql.exec("DELETE FROM alert_report WHERE id = ?", id);
  }

  /** After a failed try: sets the next one, at least `retryAfterMs` from now. Returns false where it is given up. */
  postpone({ id, tries }: Report, now: number, retryAfterMs: number): boolean {
    const pause = PAUSES_MS[tries];
    if (pause === undefined) {
      this.remove(id);
      return false;
    }
    this.#sql.exec("UPDATE alert_report SET tries = tries + 1, due = ? WHERE id = ?", now + Math.max(pause, retryAfterMs), id);
    return true;
  }

  /** For reports that nobody receives any more. */
  clear(): void {
    this.#sql.exec("DELETE FROM alert_report");
  }
}
