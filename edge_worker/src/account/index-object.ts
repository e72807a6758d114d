// The account's one object: list of projects, quotas and spending, measured durations, one-time login codes.
// Not the source of truth about a project: each project reports what changed, possibly twice.
import { DurableObject } from "cloudflare:workers";

import type { ListedJob } from "../../shared/contracts/api.ts";
import type { Alert, FailedJob, Period, Receiver, StageTimes, UnderWay } from "../../shared/contracts/operations.ts";
import type { Project } from "../../shared/contracts/project.ts";
import { ACTIVE, PRESETS, type Preset } from "../../shared/stages.ts";
import { sha256Hex } from "../crypto.ts";
import type { Env } from "../env.ts";
import type { Sent } from "../clients/alert-webhook.ts";
import type { Subscription } from "../clients/web-push.ts";
import { RunPod, RunPodError, type Health } from "../clients/runpod.ts";
import { guard, type Refusal } from "../errors.ts";
import type { Tables } from "../rows.ts";
import { settingsOf } from "../settings.ts";
import { Alerts } from "./alerts/watch.ts";
import { AccountBackup, type AccountTable, type RowsPage } from "./backup.ts";
import { Books, WEBHOOK_LATE_MS } from "./books/books.ts";
import { CLOSED, observe, type Breaker, type Starts, type Stopped } from "./breaker.ts";
import { SAMPLES_MAX, type EditSample, type Sample } from "./estimate.ts";
import { DAY_MS, HOUR_MS, History, periods } from "./history.ts";
import { readJob, type JobPlace } from "./jobs.ts";
import { failures, stageTimes, underWay } from "./overview.ts";
import { checkQuota, checkUploadQuota, placeInQueue, startOfDay, startOfMonth, type Reached, type Usage } from "./quota.ts";
import { News } from "./push/news.ts";
import { Queue } from "./queue.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS project (
    id TEXT PRIMARY KEY, created_at TEXT NOT NULL, state TEXT NOT NULL, version INTEGER NOT NULL, view TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS project_newest ON project (created_at DESC, id DESC);
  CREATE TABLE IF NOT EXISTS job (
    project TEXT NOT NULL, attempt INTEGER NOT NULL, started_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    usd REAL NOT NULL, settled_at INTEGER, outcome TEXT, preset TEXT NOT NULL, photos INTEGER NOT NULL,
    seconds REAL, stages TEXT,
    PRIMARY KEY (project, attempt)
  );
  CREATE INDEX IF NOT EXISTS project_state ON project (state, version);
  CREATE INDEX IF NOT EXISTS job_started ON job (started_at);
  CREATE INDEX IF NOT EXISTS job_settled ON job (settled_at, expires_at);
  CREATE INDEX IF NOT EXISTS job_sample ON job (outcome, preset, settled_at DESC);
  CREATE TABLE IF NOT EXISTS upload (
    identity TEXT NOT NULL, day INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (identity, day)
  );
  CREATE TABLE IF NOT EXISTS login (
    sha256 TEXT PRIMARY KEY, name TEXT NOT NULL, token_sha256 TEXT NOT NULL, expires_at INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS breaker (one INTEGER PRIMARY KEY CHECK (one = 1), state TEXT NOT NULL);
`;

/**
 * Columns that rows of older versions lack. hooked: whether RunPod's webhook about the attempt came, 0 or 1; null: unknown.
 * gaussians: of the scene whose edit the attempt applied; null: it made a scene from photos.
 */
const LATER_COLUMNS = ["hooked", "gaussians"] as const;

/** Few of all jobs that succeeded. */
const WEBHOOKS_DUE = "CREATE INDEX IF NOT EXISTS job_webhook_due ON job (settled_at) WHERE outcome = 'done' AND hooked = 0";

const EDITS = "CREATE INDEX IF NOT EXISTS job_edit ON job (settled_at DESC) WHERE outcome = 'done' AND gaussians IS NOT NULL";

/** The name of the one object. */
export const INDEX_NAME = "account";

export interface Reservation {
  readonly projectId: string;
  readonly attempt: number;
  readonly preset: Preset;
  readonly photos: number;
  /** Of the scene whose edit is applied; null: a scene is made from photos. */
  readonly gaussians: number | null;
  readonly usd: number;
  /** After this time (ms) a job that was never settled no longer counts as running. */
  readonly expiresAt: number;
}

export interface Settlement {
  readonly projectId: string;
  readonly attempt: number;
  readonly outcome: "done" | "failed" | "cancelled";
  readonly usd: number;
  readonly seconds: number | null;
  readonly stages: readonly { readonly stage: string; readonly seconds: number }[];
}

export interface LoginIdentity {
  readonly name: string;
  /** The token that made the link: the session ends when it is revoked. */
  readonly tokenSha256: string;
}

export interface AccountFigures {
  readonly projectsByState: Readonly<Record<string, number>>;
  readonly usage: Usage;
  readonly usdToday: number;
  readonly usdMonth: number;
  readonly jobsByOutcome: Readonly<Record<string, number>>;
  readonly stageSeconds: Readonly<Record<string, { readonly jobs: number; readonly seconds: number }>>;
  readonly breaker: Breaker;
  /** How long the job that was submitted first has waited, ms; 0: none waits. */
  readonly oldestWaitMs: number;
  /** Jobs that succeeded, and whose webhook never came. */
  readonly webhooksLost: number;
}

/** For the operations page. */
export interface Overview {
  readonly figures: AccountFigures;
  /** RunPod's counts; null: it did not answer. */
  readonly health: Health | null;
  readonly waiting: number;
  readonly running: number;
  readonly hours: Period[];
  readonly days: Period[];
  readonly stages: StageTimes[];
  readonly underWay: UnderWay[];
  readonly failures: FailedJob[];
  readonly alerts: Alert[];
  readonly receiver: Receiver | null;
}

/** How often the service is examined while jobs are under way, ms. Without jobs the hourly event does it. */
const LOOK_EVERY_MS = 60_000;

/** Many queued jobs ask about the same workers: RunPod is asked once for all of them. */
const WATCH_EVERY_MS = 4_000;

export class Index extends DurableObject<Env> {
  readonly #sql: SqlStorage;
  readonly #books: Books;
  readonly #queue: Queue;
  readonly #backup: AccountBackup;
  readonly #history: History;
  readonly #alerts: Alerts;
  readonly #news: News;
  #asked: { readonly at: number; readonly health: Promise<Health | null> } | undefined;
  /** When the alarm rings, ms. */
  #rings = Number.POSITIVE_INFINITY;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec(SCHEMA);
    this.#books = new Books(this.#sql);
    const columns = this.#sql.exec("PRAGMA table_info(job)").toArray().map((row) => row["name"]);
    for (const name of LATER_COLUMNS) if (!columns.includes(name)) this.#sql.exec(`ALTER TABLE job ADD COLUMN ${name} INTEGER`);
    this.#sql.exec(WEBHOOKS_DUE);
    this.#sql.exec(EDITS);
    this.#queue = new Queue(ctx.storage.sql);
    this.#backup = new AccountBackup(ctx.storage.sql);
    this.#history = new History(ctx.storage.sql);
    this.#alerts = new Alerts(ctx.storage.sql);
    this.#news = new News(ctx.storage.sql);
    void ctx.blockConcurrencyWhile(async () => {
      this.#rings = (await ctx.storage.getAlarm()) ?? Number.POSITIVE_INFINITY;
    });
  }

  /** Stores a project's newest view; a version (ms of its update) older than the stored one changes nothing. */
  record(view: Project, version: number, settlement: Settlement | null): void {
    const listed: Project = { ...view, progress: null, report: null, results: [] };
    this.#sql.exec(
      `INSERT INTO project (id, created_at, state, version, view) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, version = excluded.version, view = excluded.view
       WHERE excluded.version >= project.version`,
      view.id,
      view.created_at,
      view.state,
      version,
      JSON.stringify(listed),
    );
    if (settlement !== null) this.settle(settlement);
    if (view.state !== "queued") this.#queue.leave(view.id);
    if (settlement !== null || ACTIVE.has(view.state)) this.#lookBy(Date.now() + LOOK_EVERY_MS);
    if (settlement !== null && this.#news.ended(view, Date.now())) this.#lookBy(Date.now());
  }

  remove(projectId: string): void {
    this.#queue.leave(projectId);
    this.#news.forget(projectId);
    this.#sql.exec("DELETE FROM project WHERE id = ?", projectId);
  }

  /** Sends a message to this browser once the project's job has ended. */
  watchEnd(projectId: string, browser: Subscription): void {
    this.#news.watch(projectId, browser);
  }

  /** A page of projects, newest first. after: {createdAt, id} of the last one of the page before. */
  list(limit: number, after: { readonly createdAt: string; readonly id: string } | null): { projects: Project[]; more: boolean } {
    // Two statements, so that each reads only its page from the index.
    const newest = "ORDER BY created_at DESC, id DESC LIMIT ?";
    const rows = (
      after === null
        ? this.#sql.exec(`SELECT view FROM project ${newest}`, limit + 1)
        : this.#sql.exec(`SELECT view FROM project WHERE (created_at, id) < (?, ?) ${newest}`, after.createdAt, after.id, limit + 1)
    ).toArray();
    const projects = rows.slice(0, limit).map((row) => JSON.parse(String(row["view"])) as Project);
    return { projects, more: rows.length > limit };
  }

  /** A page of attempts, newest first. after: the place of the last one of the page before. */
  jobs(limit: number, after: JobPlace | null): { jobs: ListedJob[]; more: boolean } {
    const { submittedAt, projectId, attempt } = after ?? { submittedAt: Number.MAX_SAFE_INTEGER, projectId: "", attempt: 0 };
    const rows = this.#sql
      .exec(
        `SELECT job.*, project.view FROM job LEFT JOIN project ON project.id = job.project
         WHERE job.started_at <= ? AND (job.started_at, job.project, job.attempt) < (?, ?, ?)
         ORDER BY job.started_at DESC, job.project DESC, job.attempt DESC LIMIT ?`,
        submittedAt,
        submittedAt,
        projectId,
        attempt,
        limit + 1,
      )
      .toArray();
    return { jobs: rows.slice(0, limit).map(readJob), more: rows.length > limit };
  }

  /**
   * Counts a job before it is submitted, refuses it, or gives it a place in the queue (1: next). The same attempt twice
   * counts once. A job that waits keeps its place by asking again.
   */
  reserve(reservation: Reservation): Refusal | { readonly usdLeft: number } | { readonly place: number } {
    const now = Date.now();
    const { limits } = settingsOf(this.env);
    const usage = this.#books.usage(now);
    const usdLeft = limits.budget_usd_per_month - usage.usdThisMonth;
    const known = this.#sql.exec("SELECT 1 FROM job WHERE project = ? AND attempt = ?", reservation.projectId, reservation.attempt).toArray();
    if (known.length > 0) return { usdLeft };
    const { stopped } = this.#breaker();
    const reached = checkQuota(usage, limits, reservation.usd, now);
    if (stopped !== null || reached !== null) this.#queue.leave(reservation.projectId);
    if (stopped !== null) return stoppedRefusal(stopped);
    if (reached !== null) return refused(reached);
    const place = placeInQueue(usage, this.#queue.ahead(reservation.projectId, now), limits);
    if (place !== null) {
      this.#queue.wait(reservation.projectId, now);
      return { place };
    }
    this.#queue.leave(reservation.projectId);
    this.#sql.exec(
      "INSERT INTO job (project, attempt, started_at, expires_at, usd, preset, photos, gaussians, hooked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
      reservation.projectId,
      reservation.attempt,
      now,
      reservation.expiresAt,
      reservation.usd,
      reservation.preset,
      reservation.photos,
      reservation.gaussians,
    );
    return { usdLeft };
  }

  /** What would happen to a job of this price that started now: refused, or so many jobs before it. */
  outlook(usd: number): { readonly refusal: Refusal | null; readonly place: number | null } {
    const now = Date.now();
    const { limits } = settingsOf(this.env);
    const usage = this.#books.usage(now);
    const { stopped } = this.#breaker();
    const refusal = stopped === null ? (checkQuota(usage, limits, usd, now)?.refusal ?? null) : stoppedRefusal(stopped);
    return { refusal, place: placeInQueue(usage, this.#queue.ahead(null, now), limits) };
  }

  /** While jobs wait: looks at the workers, and stops the service when their starts failed too often. Returns why it is stopped, and whether no worker can start. */
  async watchStarts(): Promise<Pick<Breaker, "stopped" | "noWorker">> {
    const now = Date.now();
    if (this.#breaker().stopped === null && this.#healthAge(now) >= WATCH_EVERY_MS) {
      const health = await this.#askHealth(now);
      if (health !== null) this.#observeStarts(health, now);
    }
    const { stopped, noWorker } = this.#breaker();
    return { stopped, noWorker };
  }

  /** As last observed: RunPod is asked only while jobs wait. */
  starts(): Starts {
    const { stopped, noWorker } = this.#breaker();
    if (stopped !== null) return "stopped";
    return noWorker && this.#books.usage(Date.now()).jobsNow > 0 ? "no_worker" : "ok";
  }

  #observeStarts(health: Health, now: number): void {
    const before = this.#breaker();
    const after = observe(before, health, settingsOf(this.env).limits.start_failures_max, now);
    if (after !== before) this.#setBreaker(after);
    if (after.noWorker && !before.noWorker) console.error(`no worker can start: ${MORE_WORKERS}`);
    if (before.stopped === null && after.stopped !== null) {
      console.error(`stopped: ${after.stopped.reason} ${RESUME}`);
      this.#lookBy(now);
    }
  }

  #healthAge(now: number): number {
    return this.#asked === undefined ? Number.POSITIVE_INFINITY : Math.abs(now - this.#asked.at);
  }

  /** RunPod's counts, at most WATCH_EVERY_MS old, asked once for all who want them; null: it did not answer. */
  #askHealth(now: number): Promise<Health | null> {
    if (this.#asked === undefined || this.#healthAge(now) >= WATCH_EVERY_MS) {
      const health = new RunPod(settingsOf(this.env).runpod).health().catch((error: unknown) => {
        if (error instanceof RunPodError) return null;
        throw error;
      });
      this.#asked = { at: now, health };
    }
    return this.#asked.health;
  }

  override async alarm(): Promise<void> {
    this.#rings = Number.POSITIVE_INFINITY;
    await this.look();
  }

  /** Looks at the whole service: writes history, raises and clears alerts, sends reports. Every minute while jobs are under way, else every hour. */
  async look(): Promise<void> {
    const settings = settingsOf(this.env);
    await this.#news.deliver(settings);
    if (this.#books.count("queued") > 0) await this.watchStarts();
    const health = await this.#askHealth(Date.now());
    const now = Date.now();
    const figures = this.figures();
    const since = this.#books.outcomesSince(now - HOUR_MS);
    this.#sample(health, now);
    this.#alerts.observe(
      {
        breaker: { ...figures.breaker, noWorker: figures.breaker.noWorker && figures.usage.jobsNow > 0 },
        oldestWaitS: figures.oldestWaitMs / 1000,
        failedLately: since["failed"] ?? 0,
        doneLately: since["done"] ?? 0,
        budgetUsd: settings.limits.budget_usd_per_month,
        leftUsd: settings.limits.budget_usd_per_month - figures.usage.usdThisMonth,
        runpodAnswers: health !== null,
        webhooksLost: this.#books.webhooksLost(now - HOUR_MS - WEBHOOK_LATE_MS, now),
      },
      now,
      settings,
    );
    await this.#alerts.deliver(settings);
    for (const next of [this.#alerts.nextLook(Date.now()), this.#news.nextDue()]) if (next !== null) this.#lookBy(next);
    if (this.#books.count("queued") + this.#books.count("running") > 0) this.#lookBy(Date.now() + LOOK_EVERY_MS);
  }

  #sample(health: Health | null, now: number): void {
    this.#history.fold(now, { waitS: this.#books.oldestWait(now) / 1000, queue: this.#books.count("queued"), workers: health?.workers["running"] ?? null });
  }

  /** Sets the alarm to ring at `at` (ms), unless it rings earlier anyway. */
  #lookBy(at: number): void {
    if (at >= this.#rings) return;
    this.#rings = at;
    void this.ctx.storage.setAlarm(at);
  }

  async overview(): Promise<Overview> {
    const health = await this.#askHealth(Date.now());
    const now = Date.now();
    this.#sample(health, now);
    return {
      figures: this.figures(),
      health,
      waiting: this.#books.count("queued"),
      running: this.#books.count("running"),
      hours: periods(this.#history.rows(now - DAY_MS), HOUR_MS, 24, now),
      days: periods(this.#history.rows(startOfDay(now) - 29 * DAY_MS, DAY_MS), DAY_MS, 30, now),
      stages: stageTimes(this.#sql, now),
      underWay: underWay(this.#sql),
      failures: failures(this.#sql),
      ...this.alerts(),
    };
  }

  alerts(): Pick<Overview, "alerts" | "receiver"> {
    return { alerts: this.#alerts.view(), receiver: this.#alerts.receiver(settingsOf(this.env)) };
  }

  /** Sends a test to the receiver; null: there is none. */
  testAlert(): Promise<Sent | null> {
    return this.#alerts.test(settingsOf(this.env), Date.now());
  }

  /** RunPod's webhook about an attempt came. */
  hooked(projectId: string, attempt: number): void {
    this.#sql.exec("UPDATE job SET hooked = 1 WHERE project = ? AND attempt = ?", projectId, attempt);
  }

  /** Starts no more jobs until `resume`. */
  stop(reason: string): Stopped {
    const stopped = this.#breaker().stopped ?? { at: Date.now(), reason };
    this.#setBreaker({ ...this.#breaker(), stopped });
    this.#lookBy(Date.now());
    return stopped;
  }

  resume(): void {
    this.#setBreaker(CLOSED);
    this.#lookBy(Date.now());
  }

  /** Counts bytes that `identity` uploads in addition to its others of the day (UTC), or refuses them. */
  grantUpload(identity: string, bytes: number): Refusal | null {
    const now = Date.now();
    const day = startOfDay(now);
    this.#sql.exec("DELETE FROM upload WHERE day < ?", day);
    const [row] = this.#sql.exec("SELECT bytes FROM upload WHERE identity = ? AND day = ?", identity, day).toArray();
    const reached = checkUploadQuota(Number(row?.["bytes"] ?? 0), bytes, settingsOf(this.env).limits, now);
    if (reached !== null) return refused(reached);
    this.#sql.exec(
      "INSERT INTO upload (identity, day, bytes) VALUES (?, ?, ?) ON CONFLICT (identity, day) DO UPDATE SET bytes = bytes + excluded.bytes",
      identity,
      day,
      bytes,
    );
    return null;
  }

  /** Past jobs to estimate from, newest first. */
  samples(): Sample[] {
    const rows = PRESETS.flatMap((preset) =>
      this.#sql
        .exec("SELECT preset, photos, seconds FROM job WHERE outcome = 'done' AND seconds > 0 AND gaussians IS NULL AND preset = ? ORDER BY settled_at DESC LIMIT ?", preset, SAMPLES_MAX)
        .toArray(),
    );
    return rows as unknown as Sample[];
  }

  /** Past jobs that applied an edit, newest first. */
  editSamples(): EditSample[] {
    const sql = "SELECT gaussians, seconds FROM job WHERE outcome = 'done' AND seconds > 0 AND gaussians IS NOT NULL ORDER BY settled_at DESC LIMIT ?";
    return this.#sql.exec(sql, SAMPLES_MAX).toArray() as unknown as EditSample[];
  }

  async addLoginCode(code: string, identity: LoginIdentity, expiresAt: number): Promise<void> {
    const digest = await sha256Hex(code);
    this.#sql.exec("DELETE FROM login WHERE expires_at <= ?", Date.now());
    this.#sql.exec(
      "INSERT INTO login (sha256, name, token_sha256, expires_at) VALUES (?, ?, ?, ?)",
      digest,
      identity.name,
      identity.tokenSha256,
      expiresAt,
    );
  }

  /** Uses up a login code; null if it is unknown, used or expired. */
  async takeLoginCode(code: string): Promise<LoginIdentity | null> {
    const digest = await sha256Hex(code);
    const [row] = this.#sql.exec("DELETE FROM login WHERE sha256 = ? RETURNING *", digest).toArray();
    if (row === undefined || Number(row["expires_at"]) <= Date.now()) return null;
    return { name: String(row["name"]), tokenSha256: String(row["token_sha256"]) };
  }

  figures(): AccountFigures {
    const now = Date.now();
    return {
      projectsByState: this.#books.projectsByState(),
      jobsByOutcome: this.#books.jobsByOutcome(),
      usage: this.#books.usage(now),
      usdToday: this.#books.usdOfDays(startOfDay(now)),
      usdMonth: this.#books.usdOfDays(startOfMonth(now)),
      stageSeconds: this.#books.stageSeconds(),
      breaker: this.#breaker(),
      oldestWaitMs: this.#books.oldestWait(now),
      webhooksLost: this.#books.webhooksLost(0, now),
    };
  }

  /** Projects that nobody has touched since `before` (ms) and that never had a job. */
  abandoned(before: number, limit: number): string[] {
    return this.#sql
      .exec("SELECT id FROM project WHERE state IN ('new', 'uploading', 'ready') AND version < ? ORDER BY version LIMIT ?", before, limit)
      .toArray()
      .map((row) => String(row["id"]));
  }

  /** Books what an ended attempt cost; a repeated settlement changes nothing. */
  settle({ projectId, attempt, outcome, usd, seconds, stages }: Settlement): void {
    this.#sql.exec(
      "UPDATE job SET settled_at = ?, outcome = ?, usd = ?, seconds = ?, stages = ? WHERE project = ? AND attempt = ? AND settled_at IS NULL",
      Date.now(),
      outcome,
      usd,
      seconds,
      JSON.stringify(stages),
      projectId,
      attempt,
    );
  }

  /** A page of rows for a backup. after: `next` of the page before, 0 at first. */
  backupPage(table: AccountTable, after: number): RowsPage {
    return this.#backup.page(table, after);
  }

  /** Refuses to write into an account with data, unless allowed. */
  openRestore(backup: string, overwrite: boolean): Refusal | null {
    return this.#backup.open(backup, overwrite);
  }

  /** All of the rows, or none. */
  restoreRows(tables: Tables): Promise<null | Refusal> {
    return guard(async () => {
      this.ctx.storage.transactionSync(() => this.#backup.add(tables));
      this.#history.recount();
      return null;
    });
  }

  closeRestore(): void {
    this.#backup.close();
  }

  #breaker(): Breaker {
    const [row] = this.#sql.exec("SELECT state FROM breaker").toArray();
    return row === undefined ? CLOSED : { ...CLOSED, ...(JSON.parse(String(row["state"])) as Partial<Breaker>) };
  }

  #setBreaker(state: Breaker): void {
    this.#sql.exec("INSERT OR REPLACE INTO breaker (one, state) VALUES (1, ?)", JSON.stringify(state));
  }

  /**
   * The worker of an ended attempt was still running now: books the time since its end, or since this was last reported.
   * A worker that nobody had heard from before its attempt's end is booked from its first sign on.
   */
  ranOn(projectId: string, attempt: number): void {
    const now = Date.now();
    this.#sql.exec(
      `UPDATE job SET usd = usd + CASE WHEN usd > 0 THEN max(0, ? - settled_at) / 1000.0 ELSE 1 END * ?, settled_at = max(?, settled_at)
       WHERE project = ? AND attempt = ? AND settled_at IS NOT NULL AND outcome <> 'done'`,
      now,
      settingsOf(this.env).price.usd_per_s,
      now,
      projectId,
      attempt,
    );
    this.#history.recount();
  }
}

/** Whoever uploads photos cannot raise a limit: the key goes to the log, for operators. */
function refused({ refusal, configurationKey }: Reached): Refusal {
  console.warn(`limit reached: to raise it, set ${configurationKey} with \`pulumi config set\``);
  return refusal;
}

/** For operators, in the log: the next deployment must look at the endpoint as it is, not as it was left. */
const MORE_WORKERS = "jobs wait and the endpoint has none. Its maximum may have been set to 0, as RunPod does after a week without jobs: run `pulumi up --refresh`.";
const RESUME = "Jobs that wait are ended, and none starts. Run `splat doctor`, fix the cause, then run `splat resume`.";

function stoppedRefusal({ reason }: Stopped): Refusal {
  return { refused: true, code: "UPSTREAM", message: `This service is stopped. ${reason}`, hint: "Contact whoever runs this service.", status: 503 };
}
