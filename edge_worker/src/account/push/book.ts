// Browsers that want to know when a job ends, and the messages that they are still to get. In the account's storage.
// A row ends with its message: nobody is followed any longer than they asked for.
import type { Subscription } from "../../clients/web-push.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS push (
    project TEXT NOT NULL, endpoint TEXT NOT NULL, p256dh TEXT NOT NULL, auth TEXT NOT NULL,
    message TEXT, tries INTEGER NOT NULL DEFAULT 0, due INTEGER,
    PRIMARY KEY (project, endpoint)
  );
  CREATE INDEX IF NOT EXISTS push_due ON push (due);
`;

/** Of one project; beyond, the oldest is dropped. */
const BROWSERS_MAX = 20;
const MINUTE_MS = 60_000;
/** Pauses after each try, ms; after the last one the message is dropped: old news helps nobody. */
export const PAUSES_MS = [5_000, MINUTE_MS, 10 * MINUTE_MS, 60 * MINUTE_MS] as const;

export interface Waiting extends Subscription {
  readonly project: string;
  readonly message: string;
  readonly tries: number;
}

export class PushBook {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#sql.exec(SCHEMA);
  }

  /** The same browser again takes its old row's place. */
  add(project: string, { endpoint, p256dh, auth }: Subscription): void {
    this.#sql.exec("INSERT OR REPLACE INTO push (project, endpoint, p256dh, auth) VALUES (?, ?, ?, ?)", project, endpoint, p256dh, auth);
    this.#sql.exec("DELETE FROM push WHERE project = ? AND rowid NOT IN (SELECT rowid FROM push WHERE project = ? ORDER BY rowid DESC LIMIT ?)", project, project, BROWSERS_MAX);
  }

  /** The job has ended: everybody who waits for it is to get this message. Returns whether somebody does. */
  announce(project: string, message: string, now: number): boolean {
    return this.#sql.exec("UPDATE push SET message = ?, due = ? WHERE project = ? AND message IS NULL RETURNING 1", message, now, project).toArray().length > 0;
  }

  forget(project: string): void {
    this.#sql.exec("DELETE FROM push WHERE project = ?", project);
  }

  /** What is due, the oldest first. */
  due(now: number, limit: number): Waiting[] {
    return this.#sql.exec("SELECT * FROM push WHERE due <= ? ORDER BY due LIMIT ?", now, limit).toArray() as unknown as Waiting[];
  }

  /** When the next message is due, ms; null: none waits. */
  nextDue(): number | null {
    const { due } = this.#sql.exec("SELECT min(due) AS due FROM push").one();
    return due === null ? null : Number(due);
  }

  remove({ project, endpoint }: Waiting): void {
    this.#sql.exec("DELETE FROM push WHERE project = ? AND endpoint = ?", project, endpoint);
  }

  /** The browser's subscription has ended: no project has a message for it any more. */
  expire({ endpoint }: Waiting): void {
    this.#sql.exec("DELETE FROM push WHERE endpoint = ?", endpoint);
  }

  postpone(one: Waiting, now: number, retryAfterMs: number): void {
    const pause = PAUSES_MS[one.tries];
    if (pause === undefined) return this.remove(one);
    this.#sql.exec("UPDATE push SET tries = tries + 1, due = ? WHERE project = ? AND endpoint = ?", now + Math.max(pause, retryAfterMs), one.project, one.endpoint);
  }
}
