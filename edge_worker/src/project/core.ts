// What happens to a project between calls: events applied, browsers and index told, RunPod asked, bytes swept.
// Every change goes through apply(); nothing here decides whether a caller may ask for it.
import type { Project } from "../../shared/contracts/project.ts";
import { ACTIVE, FINAL } from "../../shared/stages.ts";
import { keys } from "../clients/bucket-keys.ts";
import { roundUsd } from "../account/estimate.ts";
import type { Index, Settlement } from "../account/index-object.ts";
import { indexStub } from "../account/stub.ts";
import { Presigner } from "../clients/presign.ts";
import { RunPod, RunPodError } from "../clients/runpod.ts";
import type { Env } from "../env.ts";
import { ApiError, type Refusal } from "../errors.ts";
import type { Remote } from "../remote.ts";
import { settingsOf, type Settings } from "../settings.ts";
import { confirmArtifacts, interpret, provesAttempt, readBucketReport } from "./attempt.ts";
import { transition, type Event, type Job } from "./job-state.ts";
import { PhotoShelf } from "./photo-shelf.ts";
import { nextAlarm } from "./schedule.ts";
import { ProjectStore, type ProjectRow } from "./store.ts";
import { viewProject } from "./view.ts";

/** Kept with each websocket through hibernation. until: ms since 1970 when its identity expires; null: never. */
export interface WatchTerms {
  readonly until: number | null;
}
/** Application's own close codes begin at 4000; 4401 reminds of HTTP's 401. */
const SESSION_ENDED = 4401;

const DELETE_PAGE = 1000;
const SWEEP_EVERY_MS = 10 * 60_000;
const RETRY_EVERY_MS = 10_000;
/** A listing of the bucket answers all reads of this time. */
const SYNC_FRESH_MS = 1000;

export class ProjectCore {
  readonly store: ProjectStore;
  readonly now: () => number;
  readonly #ctx: DurableObjectState;
  readonly #env: Env;
  #settings: Settings | undefined;
  #syncedAt = 0;

  constructor(ctx: DurableObjectState, env: Env, now: () => number) {
    this.#ctx = ctx;
    this.#env = env;
    this.now = now;
    this.store = new ProjectStore(ctx.storage.sql);
  }

  // ---- reading -----------------------------------------------------------------------------------------------

  /** The project, or NOT_FOUND; one that is being deleted is gone for everybody. */
  row(): ProjectRow {
    const row = this.store.row;
    if (row === undefined || row.deleting_until !== null) throw new ApiError("NOT_FOUND", "This project does not exist.");
    return row;
  }

  view(): Project {
    return viewProject(this.row(), this.store.photoTotals());
  }

  get settings(): Settings {
    return (this.#settings ??= settingsOf(this.#env));
  }

  get runpod(): RunPod {
    return new RunPod(this.settings.runpod);
  }

  get index(): Remote<Index> {
    return indexStub(this.#env);
  }

  get shelf(): PhotoShelf {
    return new PhotoShelf(this.store, this.#env.BUCKET, new Presigner(this.settings));
  }

  // ---- changing ----------------------------------------------------------------------------------------------

  /** Applies an event; if it changed anything, stores it and tells browsers and the index. Sets the alarm either way. */
  async apply(event: Event): Promise<void> {
    const id = this.store.row?.id;
    if (id === undefined) return;
    const confirmed = event.type === "completed" ? { ...event, report: await confirmArtifacts(this.#env.BUCKET, id, event.report) } : event;
    // Read after the wait: from here to the write nothing else runs.
    const before = this.store.row?.job;
    if (before === undefined) return;
    const job = transition(before, confirmed, this.now());
    if (job !== before) {
      this.changed({ job });
      if (this.store.row?.index_dirty === true) await this.tellIndex();
    }
    await this.arm();
  }

  changed(changes: Partial<Pick<ProjectRow, "name" | "job">>): void {
    const before = this.store.row;
    const updated_at = Math.max(this.now(), (before?.updated_at ?? 0) + 1);
    // Progress is for those who watch; the index learns names and states.
    const told = changes.job === undefined || changes.job.state !== before?.job.state;
    this.store.update({ ...changes, updated_at, ...(told ? { index_dirty: true } : {}) });
    if (this.store.row?.deleting_until === null) this.#broadcast();
  }

  /** Tells the index the newest state and, once an attempt has ended, what it cost. What is told twice counts once. */
  async tellIndex(): Promise<void> {
    const row = this.store.row;
    if (row === undefined) return;
    const ended = FINAL.has(row.job.state) && row.job.attempt > 0 ? settlement(row.id, row.job, this.settings.price.usd_per_s) : null;
    try {
      if (row.deleting_until === null) await this.index.record(this.view(), row.updated_at, ended);
      else if (ended !== null) await this.index.settle(ended);
      if (this.store.row?.updated_at === row.updated_at) this.store.update({ index_dirty: false });
    } catch (error) {
      this.store.update({ index_dirty: true });
      await this.arm();
      console.error(`the index could not be told: ${String(error)}`);
    }
  }

  async arm(): Promise<void> {
    const row = this.store.row;
    if (row === undefined || row.deleting_until !== null) return;
    const now = this.now();
    const due = nextAlarm(row.job, now, { askedAt: row.asked_at, hurry: row.hurry });
    const at = row.index_dirty ? Math.min(due ?? Number.POSITIVE_INFINITY, now + RETRY_EVERY_MS) : due;
    if (at === null) await this.#ctx.storage.deleteAlarm();
    else await this.#ctx.storage.setAlarm(at);
  }

  // ---- photos ------------------------------------------------------------------------------------------------

  /** Compares with the bucket while photos may still arrive; exact: also if that was done a moment ago. */
  async syncPhotos({ exact }: { readonly exact: boolean }): Promise<void> {
    const row = this.row();
    if (ACTIVE.has(row.job.state)) return;
    if (!exact && this.now() - this.#syncedAt < SYNC_FRESH_MS) return;
    await this.shelf.sync(row.id);
    this.#syncedAt = this.now();
    this.#countPhotos();
    if (this.row().index_dirty) await this.tellIndex();
  }

  /** After photos were declared or deleted. A checkpoint knows the photos that it was made from: with others it is void. */
  async photosChanged(): Promise<void> {
    this.#syncedAt = 0;
    this.#countPhotos();
    const { id, job } = this.row();
    if (job.attempt > 0) await this.#env.BUCKET.delete(keys.checkpoint(id));
    await this.tellIndex();
  }

  #countPhotos(): void {
    const before = this.row().job;
    const { count, uploaded } = this.store.photoTotals();
    const job = transition(before, { type: "photos", declared: count, uploaded }, this.now());
    if (job !== before) this.changed({ job });
  }

  // ---- RunPod ------------------------------------------------------------------------------------------------

  /**
   * Asks RunPod about the current attempt. Where it cannot be asked (no id, or no answer), a report in the bucket says
   * that the worker is done; without one nothing changes but the next time to ask.
   */
  async poll({ hook }: { readonly hook: boolean }): Promise<void> {
    const { id, job } = this.row();
    if (!ACTIVE.has(job.state)) return this.arm();
    this.store.update({ asked_at: this.now(), hurry: false });
    if (job.runpodId === null) return this.takeFromBucket();
    try {
      const status = await this.runpod.status(job.runpodId);
      const event = await interpret(job, id, status, () => readBucketReport(this.#env.BUCKET, id, job.attempt), this.now());
      // The webhook can be ahead of what /status says: look again soon.
      if (hook && (event.type === "in_queue" || event.type === "in_progress" || event.type === "progress")) this.store.update({ hurry: true });
      await this.apply(event);
    } catch (error) {
      if (!(error instanceof RunPodError)) throw error;
      if (hook) this.store.update({ hurry: true });
      await this.takeFromBucket();
    }
  }

  /** Ends the current attempt by the report that its worker left in the bucket, if there is one. */
  async takeFromBucket(): Promise<void> {
    const { id, job } = this.row();
    const report = ACTIVE.has(job.state) ? await readBucketReport(this.#env.BUCKET, id, job.attempt) : null;
    if (report === null) return this.arm();
    await this.apply({ type: "completed", attempt: job.attempt, report });
  }

  /** An id that a hook's body names becomes this attempt's only if RunPod itself says whose job it is. */
  async adopt(hintedId: string): Promise<void> {
    const { id, job } = this.row();
    try {
      const status = await this.runpod.status(hintedId);
      if (provesAttempt(status, id, job.attempt)) await this.apply({ type: "found", attempt: job.attempt, runpodId: hintedId });
    } catch (error) {
      if (!(error instanceof RunPodError)) throw error;
    }
  }

  async confirmCancels(): Promise<void> {
    for (const runpodId of this.store.row?.job.toCancel ?? []) {
      try {
        await this.runpod.cancel(runpodId);
        await this.apply({ type: "cancel_confirmed", runpodId });
      } catch (error) {
        if (!(error instanceof RunPodError)) throw error;
        await this.arm();
      }
    }
  }

  // ---- deletion ----------------------------------------------------------------------------------------------

  /** Marks the project as gone; sweep() does the rest, now and by alarm. */
  async beginDeletion(): Promise<void> {
    const row = this.row();
    const now = this.now();
    const job = transition(row.job, { type: "cancel" }, now);
    // A worker that is still running holds addresses to write to until the deadline, a browser until its addresses expire.
    const workerUntil = job.attempt > 0 && job.deadlineAt !== null && job.state !== "done" ? job.deadlineAt : now;
    const until = Math.max(now, workerUntil, row.uploads_until);
    this.store.update({ job, deleting_until: until, index_dirty: true });
    await this.#ctx.storage.setAlarm(now + 1000);
    for (const socket of this.#ctx.getWebSockets()) socket.close(1000, "The project was deleted.");
    // The project is gone already; a step that fails here is repeated by the alarm.
    await this.sweep().catch((error: unknown) => console.error(`a deletion goes on by alarm: ${String(error)}`));
  }

  /**
   * One round of deletion: the index's entry, the job, the bytes, and, when nothing can be written any more, this
   * object's own rows. Each step may be cut off or fail: the next round repeats it.
   */
  async sweep(): Promise<void> {
    const row = this.store.row;
    if (row === undefined || row.deleting_until === null) return;
    await this.index.remove(row.id);
    if (row.index_dirty) await this.tellIndex();
    await this.confirmCancels();
    const prefix = keys.project(row.id);
    for (let more = true; more; ) {
      const { objects, truncated } = await this.#env.BUCKET.list({ prefix, limit: DELETE_PAGE });
      if (objects.length > 0) await this.#env.BUCKET.delete(objects.map(({ key }) => key));
      more = truncated;
    }
    const now = this.now();
    const pending = this.store.row?.index_dirty === true || (this.store.row?.job.toCancel.length ?? 0) > 0;
    if (now >= row.deleting_until && !pending) {
      await this.#ctx.storage.deleteAlarm();
      await this.#ctx.storage.deleteAll();
      this.store.forget();
      return;
    }
    const next = pending ? now + RETRY_EVERY_MS : Math.min(now + SWEEP_EVERY_MS, Math.max(now + 1000, row.deleting_until));
    await this.#ctx.storage.setAlarm(next);
  }

  // ---- inside ------------------------------------------------------------------------------------------------

  #broadcast(): void {
    const sockets = this.#ctx.getWebSockets();
    if (sockets.length === 0) return;
    const message = JSON.stringify({ type: "project", project: this.view() });
    for (const socket of sockets) {
      const { until } = socket.deserializeAttachment() as WatchTerms;
      try {
        if (until !== null && this.now() >= until) {
          socket.close(SESSION_ENDED, "The sign-in has expired.");
          continue;
        }
        socket.send(message);
      } catch {
        // The other side is gone and its close event is on the way.
      }
    }
  }
}

/** What an ended attempt cost: its report's price, else the time that its worker ran at the current rate. */
export function settlement(projectId: string, job: Job, usdPerS: number): Settlement {
  const ranS = job.startedAt === null || job.finishedAt === null ? 0 : (job.finishedAt - job.startedAt) / 1000;
  return {
    projectId,
    attempt: job.attempt,
    outcome: job.state === "done" ? "done" : job.state === "cancelled" ? "cancelled" : "failed",
    usd: job.report?.price?.usd ?? roundUsd(ranS * usdPerS),
    seconds: job.report?.price?.billed_s ?? null,
    stages: job.report?.stages ?? [],
  };
}

/** Turns an ApiError into plain data: a thrown error would lose its class on the way to the Worker. */
export async function guard<T>(work: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiError) return error.toRefusal();
    throw error;
  }
}
