// The order of jobs that wait because as many as allowed run already, in the account's storage.
// Starts nothing: each waiting project asks for its turn, and keeps its place by asking.

const SCHEMA = "CREATE TABLE IF NOT EXISTS waiting (project TEXT PRIMARY KEY, since INTEGER NOT NULL, seen INTEGER NOT NULL)";

/** A project that waits asks every few seconds; one that has not asked for this long (ms) has lost its place. */
const FORGOTTEN_MS = 5 * 60_000;

export class Queue {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#sql.exec(SCHEMA);
  }

  /** How many wait before this project. Before null, or a project that does not wait yet: all that wait. */
  ahead(projectId: string | null, now: number): number {
    this.#sql.exec("DELETE FROM waiting WHERE seen < ?", now - FORGOTTEN_MS);
    const order = this.#sql.exec("SELECT project FROM waiting ORDER BY since, rowid").toArray().map((row) => row["project"]);
    const own = order.indexOf(projectId);
    return own === -1 ? order.length : own;
  }

  /** Takes the last place, or keeps the place that the project has. */
  wait(projectId: string, now: number): void {
    this.#sql.exec("INSERT INTO waiting (project, since, seen) VALUES (?, ?, ?) ON CONFLICT (project) DO UPDATE SET seen = excluded.seen", projectId, now, now);
  }

  leave(projectId: string): void {
    this.#sql.exec("DELETE FROM waiting WHERE project = ?", projectId);
  }
}
