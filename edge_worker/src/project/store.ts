// One project's rows in its object's SQLite: the project, its job, photos, shares, edits.
// Reads and writes only; every rule is in job/ and photos/.
import type { SourceType } from "../../shared/photo-types.ts";
import { addRows, readRows, type Tables } from "../rows.ts";
import { NEW_JOB, type Job } from "./job/state.ts";
import type { Photo, PhotoRow } from "./photos/rules.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS project (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    next_photo INTEGER NOT NULL,
    job TEXT NOT NULL,
    grant_nonce TEXT,
    progress_secret TEXT,
    asked_at INTEGER NOT NULL DEFAULT 0,
    hurry INTEGER NOT NULL DEFAULT 0,
    index_dirty INTEGER NOT NULL DEFAULT 0,
    deleting_until INTEGER,
    uploads_until INTEGER NOT NULL DEFAULT 0,
    chosen INTEGER
  );
  CREATE TABLE IF NOT EXISTS photo (
    "as" TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT,
    uploaded INTEGER NOT NULL DEFAULT 0,
    real_type TEXT,
    thumbnail INTEGER NOT NULL DEFAULT 0,
    frames INTEGER,
    upload TEXT
  );
  CREATE TABLE IF NOT EXISTS share (
    id TEXT PRIMARY KEY,
    secret_sha256 TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    views INTEGER NOT NULL DEFAULT 0,
    embed TEXT
  );
  CREATE TABLE IF NOT EXISTS edit (
    attempt INTEGER NOT NULL,
    number INTEGER NOT NULL,
    recipe TEXT NOT NULL,
    PRIMARY KEY (attempt, number)
  );
  CREATE TABLE IF NOT EXISTS result (attempt INTEGER PRIMARY KEY, job TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS cover (attempt INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (attempt, number));
  CREATE TABLE IF NOT EXISTS once (
    call TEXT NOT NULL,
    key TEXT NOT NULL,
    asked TEXT NOT NULL,
    answer TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (call, key)
  );
`;

/** Columns that rows of older versions lack. */
const LATER_COLUMNS = {
  project: { uploads_until: "INTEGER NOT NULL DEFAULT 0", chosen: "INTEGER" },
  photo: { thumbnail: "INTEGER NOT NULL DEFAULT 0", frames: "INTEGER", upload: "TEXT" },
  share: { views: "INTEGER NOT NULL DEFAULT 0", embed: "TEXT" },
} as const;

export const PROJECT_TABLES = ["project", "photo", "share", "once", "edit", "cover", "result"] as const;
/** Left out of backups: they prove a worker's messages. Without them its attempt is followed by asking RunPod. */
const SECRET_COLUMNS = { grant_nonce: null, progress_secret: null } as const;

/** How long a call's Idempotency-Key is remembered. */
const ONCE_KEPT_MS = 7 * 24 * 3600 * 1000;

export interface ProjectRow {
  readonly id: string;
  readonly name: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly next_photo: number;
  readonly job: Job;
  /** Proof that a hook belongs to the current attempt. */
  readonly grant_nonce: string | null;
  readonly progress_secret: string | null;
  /** When RunPod was last asked about the attempt, ms. */
  readonly asked_at: number;
  readonly hurry: boolean;
  /** The index does not know the newest state yet. */
  readonly index_dirty: boolean;
  /** The project is gone for everybody; its bytes are swept until this time, ms. */
  readonly deleting_until: number | null;
  /** When the last address for an upload expires, ms; 0 if there never was one. */
  readonly uploads_until: number;
  /** The attempt whose scene somebody chose to show; null: the newest. */
  readonly chosen: number | null;
}

/** Calls that create something and may be repeated with the same Idempotency-Key. */
export type OnceCall = "create" | "photos" | "start" | "share";

export interface Once {
  /** What was asked for, as text to compare. */
  readonly asked: string;
  readonly answer: string;
}

export interface ShareRow {
  readonly id: string;
  readonly secret_sha256: string;
  readonly created_at: number;
  readonly expires_at: number | null;
  /** How often the link was opened. */
  readonly views: number;
  /** Sites that may show the scene in a frame; none: any site. null: no site may. */
  readonly embed: readonly string[] | null;
}

/** An upload in parts that has started. at: when, ms. parts: ETags of the parts that its uploader reported as stored, by number. */
export interface PartsUpload {
  readonly as: string;
  readonly id: string;
  readonly at: number;
  readonly parts: Readonly<Record<number, string>>;
}

type SqlRow = Record<string, SqlStorageValue>;

export class ProjectStore {
  readonly #sql: SqlStorage;
  #row: ProjectRow | undefined;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    // Asking for a project that does not exist must not leave an object with storage behind.
    if (this.#isLaidOut()) {
      sql.exec(SCHEMA);
      this.#addLaterColumns();
    }
    this.reload();
  }

  /** The project, or undefined if this object holds none. */
  get row(): ProjectRow | undefined {
    return this.#row;
  }

  create(id: string, name: string, now: number): void {
    this.#sql.exec(SCHEMA);
    this.#sql.exec(
      "INSERT INTO project (one, id, name, created_at, updated_at, next_photo, job) VALUES (1, ?, ?, ?, ?, 1, ?)",
      id,
      name,
      now,
      now,
      JSON.stringify(NEW_JOB),
    );
    this.#row = this.#load();
  }

  /** Every row, for a backup, without secrets. Of share links only digests are stored. */
  dump(): Tables {
    const tables = Object.fromEntries(PROJECT_TABLES.map((name) => [name, readRows(this.#sql, name)]));
    return {
      ...tables,
      project: (tables["project"] ?? []).map((row) => ({ ...row, ...SECRET_COLUMNS })),
      // The bytes of an unfinished upload are in no other bucket.
      photo: (tables["photo"] ?? []).map(({ upload: _, ...row }) => row),
    };
  }

  /** Replaces every row by those of a backup. Throws CONFLICT for rows that do not fit; the caller rolls back. */
  replace(tables: Tables): void {
    this.#sql.exec(SCHEMA);
    this.#addLaterColumns();
    for (const name of PROJECT_TABLES) this.#sql.exec(`DELETE FROM "${name}"`);
    addRows(this.#sql, PROJECT_TABLES, tables);
    this.#sql.exec("UPDATE photo SET upload = NULL");
    this.#row = this.#load();
  }

  /** After a transaction was rolled back. */
  reload(): void {
    this.#row = this.#isLaidOut() ? this.#load() : undefined;
  }

  /** After the object's storage was emptied. */
  forget(): void {
    this.#row = undefined;
  }

  /** Writes the given columns in one statement. */
  update(changes: Partial<Omit<ProjectRow, "id" | "created_at">>): void {
    const names = Object.keys(changes);
    if (names.length === 0 || this.#row === undefined) return;
    const values = Object.values(changes).map(toSql);
    this.#sql.exec(`UPDATE project SET ${names.map((name) => `${name} = ?`).join(", ")} WHERE one = 1`, ...values);
    this.#row = { ...this.#row, ...changes };
  }

  photos(): PhotoRow[] {
    return this.#sql.exec('SELECT * FROM photo ORDER BY "as"').toArray().map(readPhoto);
  }

  addPhotos(photos: readonly Photo[]): void {
    for (const { as, name, type, bytes, sha256, frames } of photos) {
      this.#sql.exec('INSERT INTO photo ("as", name, type, bytes, sha256, frames) VALUES (?, ?, ?, ?, ?, ?)', as, name, type, bytes, sha256, frames);
    }
  }

  markUploaded(as: string, uploaded: boolean): void {
    this.#sql.exec('UPDATE photo SET uploaded = ? WHERE "as" = ?', uploaded ? 1 : 0, as);
  }

  setRealType(as: string, realType: SourceType | ""): void {
    this.#sql.exec('UPDATE photo SET real_type = ? WHERE "as" = ?', realType, as);
  }

  markThumbnail(as: string): void {
    this.#sql.exec('UPDATE photo SET thumbnail = 1 WHERE "as" = ?', as);
  }

  /** The upload in parts of a clip that is under way, undefined if none is. */
  upload(as: string): PartsUpload | undefined {
    return this.uploads().find((one) => one.as === as);
  }

  uploads(): PartsUpload[] {
    return this.#sql
      .exec('SELECT "as", upload FROM photo WHERE upload IS NOT NULL')
      .toArray()
      .map((row) => ({ as: String(row["as"]), ...(JSON.parse(String(row["upload"])) as Omit<PartsUpload, "as">) }));
  }

  /** null: forgets the one under way. */
  setUpload(as: string, upload: Omit<PartsUpload, "as"> | null): void {
    this.#sql.exec('UPDATE photo SET upload = ? WHERE "as" = ?', upload === null ? null : JSON.stringify({ id: upload.id, at: upload.at, parts: upload.parts }), as);
  }

  /** Whether there was such a photo. */
  deletePhoto(as: string): boolean {
    return this.#sql.exec('DELETE FROM photo WHERE "as" = ? RETURNING 1', as).toArray().length === 1;
  }

  /** files: photos and clips; count: photos, where a clip counts for its frames; uploaded: files. */
  photoTotals(): { readonly files: number; readonly count: number; readonly uploaded: number; readonly bytes: number } {
    const row = this.#sql
      .exec("SELECT count(*) AS files, coalesce(sum(coalesce(frames, 1)), 0) AS count, coalesce(sum(uploaded), 0) AS uploaded, coalesce(sum(bytes), 0) AS bytes FROM photo")
      .one();
    return { files: Number(row["files"]), count: Number(row["count"]), uploaded: Number(row["uploaded"]), bytes: Number(row["bytes"]) };
  }

  addShare({ id, secret_sha256, created_at, expires_at, embed }: Omit<ShareRow, "views">): void {
    this.#sql.exec(
      "INSERT INTO share (id, secret_sha256, created_at, expires_at, embed) VALUES (?, ?, ?, ?, ?)",
      ...[id, secret_sha256, created_at, expires_at, embed === null ? null : JSON.stringify(embed)],
    );
  }

  shares(now: number): ShareRow[] {
    return this.#sql
      .exec("SELECT * FROM share WHERE expires_at IS NULL OR expires_at > ? ORDER BY created_at, id", now)
      .toArray()
      .map((row) => ({ ...(row as unknown as ShareRow), embed: row["embed"] === null ? null : (JSON.parse(String(row["embed"])) as string[]) }));
  }

  countView(id: string): void {
    this.#sql.exec("UPDATE share SET views = views + 1 WHERE id = ?", id);
  }

  deleteShare(id: string): boolean {
    return this.#sql.exec("DELETE FROM share WHERE id = ? RETURNING 1", id).toArray().length === 1;
  }

  /** Keeps the job of an attempt that made a scene, when another one follows. */
  keepResult(job: Job): void {
    this.#sql.exec("INSERT OR REPLACE INTO result (attempt, job) VALUES (?, ?)", job.attempt, JSON.stringify(job));
  }

  /** The jobs of all attempts that made a scene, oldest first. */
  results(): Job[] {
    const kept = this.#sql.exec("SELECT job FROM result ORDER BY attempt").toArray().map((row) => readJob(row["job"]));
    const newest = this.#row?.job;
    // In rows of older versions it is kept only once another attempt begins.
    return newest?.state === "done" && kept.at(-1)?.attempt !== newest.attempt ? [...kept, newest] : kept;
  }

  /** The recipes of an attempt, oldest first. */
  edits(attempt: number): string[] {
    return this.#sql.exec("SELECT recipe FROM edit WHERE attempt = ? ORDER BY number", attempt).toArray().map((row) => String(row["recipe"]));
  }

  /** Keeps the newest `max`. */
  addEdit(attempt: number, recipe: string, max: number): void {
    const [last] = this.#sql.exec("SELECT max(number) AS number FROM edit WHERE attempt = ?", attempt).toArray();
    const number = Number(last?.["number"] ?? 0) + 1;
    this.#sql.exec("INSERT INTO edit (attempt, number, recipe) VALUES (?, ?, ?)", attempt, number, recipe);
    this.#sql.exec("DELETE FROM edit WHERE attempt = ? AND number <= ?", attempt, number - max);
  }

  /** Removes the newest edit; whether there was one. */
  dropEdit(attempt: number): boolean {
    const newest = "SELECT max(number) FROM edit WHERE attempt = ?";
    return this.#sql.exec(`DELETE FROM edit WHERE attempt = ? AND number = (${newest}) RETURNING 1`, attempt, attempt).toArray().length === 1;
  }

  /** Numbers of the stored covers. */
  covers(attempt: number): number[] {
    return this.#sql.exec("SELECT number FROM cover WHERE attempt = ? ORDER BY number", attempt).toArray().map((row) => Number(row["number"]));
  }

  nextCover(attempt: number): number {
    return (this.covers(attempt).at(-1) ?? 0) + 1;
  }

  replaceCovers(attempt: number, removed: readonly number[], added: number): void {
    for (const number of removed) this.#sql.exec("DELETE FROM cover WHERE attempt = ? AND number = ?", attempt, number);
    this.#sql.exec("INSERT OR REPLACE INTO cover (attempt, number) VALUES (?, ?)", attempt, added);
  }

  recall(call: OnceCall, key: string): Once | undefined {
    const [row] = this.#sql.exec("SELECT asked, answer FROM once WHERE call = ? AND key = ?", call, key).toArray();
    return row as unknown as Once | undefined;
  }

  /** Remembers an answer; forgets those of other calls that are too old. A project's own creation is remembered as long as the project. */
  remember(call: OnceCall, key: string, { asked, answer }: Once, now: number): void {
    this.#sql.exec("DELETE FROM once WHERE call <> 'create' AND at < ?", now - ONCE_KEPT_MS);
    this.#sql.exec("INSERT OR REPLACE INTO once (call, key, asked, answer, at) VALUES (?, ?, ?, ?, ?)", call, key, asked, answer, now);
  }

  #isLaidOut(): boolean {
    return this.#sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'project'").toArray().length > 0;
  }

  #addLaterColumns(): void {
    for (const [table, columns] of Object.entries(LATER_COLUMNS)) {
      const present = new Set(this.#sql.exec(`PRAGMA table_info(${table})`).toArray().map((row) => String(row["name"])));
      for (const [name, type] of Object.entries(columns)) {
        if (!present.has(name)) this.#sql.exec(`ALTER TABLE ${table} ADD COLUMN ${name} ${type}`);
      }
    }
  }

  #load(): ProjectRow | undefined {
    const [row] = this.#sql.exec("SELECT * FROM project").toArray();
    if (row === undefined) return undefined;
    return {
      ...(row as unknown as ProjectRow),
      job: readJob(row["job"]),
      hurry: row["hurry"] === 1,
      index_dirty: row["index_dirty"] === 1,
    };
  }
}

/** Fields that a newer version of the job adds take their initial value in rows of an older version. */
function readJob(text: unknown): Job {
  return { ...NEW_JOB, ...(JSON.parse(String(text)) as Partial<Job>) };
}

function toSql(value: unknown): SqlStorageValue {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  return value as SqlStorageValue;
}

function readPhoto(row: SqlRow): PhotoRow {
  return {
    as: String(row["as"]),
    name: String(row["name"]),
    type: String(row["type"]) as SourceType,
    frames: row["frames"] === null || row["frames"] === undefined ? null : Number(row["frames"]),
    bytes: Number(row["bytes"]),
    sha256: row["sha256"] === null ? null : String(row["sha256"]),
    uploaded: row["uploaded"] === 1,
    realType: row["real_type"] as SourceType | "" | null,
    thumbnail: row["thumbnail"] === 1,
  };
}
