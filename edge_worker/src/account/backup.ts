// The account's rows in a backup: the books, the uploads of the day, the stop, the history. And whether a restore may write here.
// Leaves out sign-in codes (they are secrets), the tally (it follows from the rows), the queue (each waiting project asks again), alerts (their conditions are seen again), browsers that wait for a message (their addresses are secrets) and the list of projects (each project reports itself).
import { ApiError, type Refusal } from "../errors.ts";
import { addRows, doesNotFit, type Row, type Tables } from "../rows.ts";

export const ACCOUNT_TABLES = ["job", "upload", "breaker", "hour"] as const;
export type AccountTable = (typeof ACCOUNT_TABLES)[number];

/** The restore that is under way; no row: none. */
const SCHEMA = "CREATE TABLE IF NOT EXISTS restore (one INTEGER PRIMARY KEY CHECK (one = 1), backup TEXT NOT NULL)";

/** Rows that a list or a sum would fail on: SQLite stores any value in any column. The value: the last row that was read before. */
const UNREADABLE = `
  SELECT 1 FROM job WHERE rowid > ? AND (typeof(started_at) <> 'integer' OR typeof(coalesce(settled_at, 0)) <> 'integer' OR max(started_at, coalesce(settled_at, 0)) > 8.64e15
    OR min(started_at, coalesce(settled_at, 0)) < 0 OR typeof(usd) <> 'real' OR NOT json_valid(coalesce(stages, '[]')))
  UNION ALL SELECT 1 FROM breaker WHERE NOT json_valid(state)`;

/** Well below the 32 MiB of one answer between objects. */
const PAGE_ROWS = 500;

export interface RowsPage {
  readonly rows: Row[];
  /** Where the next page begins; null: this was the last one of the table. */
  readonly next: number | null;
}

export class AccountBackup {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#sql.exec(SCHEMA);
  }

  /** after: `next` of the page before, 0 at first. */
  page(table: AccountTable, after: number): RowsPage {
    const found = this.#sql.exec(`SELECT rowid AS "after", * FROM "${table}" WHERE rowid > ? ORDER BY rowid LIMIT ?`, after, PAGE_ROWS).toArray();
    const rows = found.map(({ after: _, ...row }) => row as unknown as Row);
    return { rows, next: found.length < PAGE_ROWS ? null : Number(found.at(-1)?.["after"]) };
  }

  /** A restore into an account with data needs `overwrite`. One that was interrupted continues: the same backup again. */
  open(backup: string, overwrite: boolean): Refusal | null {
    const [open] = this.#sql.exec("SELECT backup FROM restore").toArray();
    const used = this.#sql.exec("SELECT 1 FROM project UNION ALL SELECT 1 FROM job LIMIT 1").toArray().length > 0;
    if (used && !overwrite && open?.["backup"] !== backup) {
      const hint = "Restore into a new deployment, or replace scenes that have the same id: `splat restore --overwrite`.";
      return new ApiError("CONFLICT", "This deployment already has scenes or jobs.", { hint }).toRefusal();
    }
    this.#sql.exec("INSERT OR REPLACE INTO restore (one, backup) VALUES (1, ?)", backup);
    return null;
  }

  /** Rows that exist stay: they are newer than the backup's. */
  add(tables: Tables): void {
    const last = Number(this.#sql.exec("SELECT coalesce(max(rowid), 0) AS last FROM job").one()["last"]);
    addRows(this.#sql, ACCOUNT_TABLES, tables);
    if (this.#sql.exec(UNREADABLE, last).toArray().length > 0) throw doesNotFit("the account", "this release cannot read them");
  }

  close(): void {
    this.#sql.exec("DELETE FROM restore");
  }
}
