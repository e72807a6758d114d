// The one place where a project changes: it stores the change, updates watchers and the account's index, sets the alarm.
// Does not decide who may ask for a change; job/state.ts decides what an event means.
import type { Project } from "../../shared/contracts/project.ts";
import { ACTIVE, FINAL } from "../../shared/stages.ts";
import type { Index } from "../account/index-object.ts";
import { indexStub } from "../account/stub.ts";
import type { Env } from "../env.ts";
import { ApiError } from "../errors.ts";
import type { Remote } from "../remote.ts";
import { settingsOf } from "../settings.ts";
import type { EditBook, Editable } from "./edit-book.ts";
import { confirmArtifacts } from "./job/attempt.ts";
import { nextAlarm } from "./job/schedule.ts";
import { settlement } from "./job/settlement.ts";
import { transition, type Event, type Job } from "./job/state.ts";
import type { ProjectRow, ProjectStore } from "./store.ts";
import { shownJob, viewProject } from "./view.ts";
import type { Watchers } from "./watchers.ts";

/** For operators, in the log: the people who see the project cannot change a limit. */
const MORE_TIME = "to allow more time, set jobSecondsMax with `pulumi config set`";
/** How soon to repeat a call that another object or RunPod did not accept. */
export const RETRY_EVERY_MS = 10_000;

export class ProjectRecord {
  /** A job is being started: the photos that it was planned with must not change before it runs. */
  starting = false;
  readonly #ctx: DurableObjectState;
  readonly #env: Env;
  readonly #store: ProjectStore;
  readonly #watchers: Watchers;
  readonly #edits: EditBook;

  constructor(ctx: DurableObjectState, env: Env, store: ProjectStore, watchers: Watchers, edits: EditBook) {
    this.#ctx = ctx;
    this.#env = env;
    this.#store = store;
    this.#watchers = watchers;
    this.#edits = edits;
  }

  /** The project, or NOT_FOUND; while it is being deleted, it is gone for everybody. */
  row(): ProjectRow {
    const { row } = this.#store;
    if (row === undefined || row.deleting_until !== null) throw new ApiError("NOT_FOUND", "This project does not exist.");
    return row;
  }

  /** The project, or CONFLICT while a job uses its photos. */
  changeable(): ProjectRow {
    const row = this.row();
    if (!this.starting && !ACTIVE.has(row.job.state)) return row;
    const doing = this.starting ? "starting" : row.job.state;
    throw new ApiError("CONFLICT", `The photos cannot change while a job is ${doing}.`, { hint: "Cancel the job first." });
  }

  view(): Project {
    const row = this.row();
    const results = this.#store.results();
    return viewProject(row, this.#store.photoTotals(), { ...this.#edits.state(shownJob(row, results)?.attempt ?? 0), results });
  }

  /** The scene that is shown and may be edited, or CONFLICT. */
  editable(): Editable & { readonly shown: Job } {
    const row = this.row();
    const shown = shownJob(row, this.#store.results());
    if (shown === null) throw new ApiError("CONFLICT", "Only a finished scene can be edited.");
    if (ACTIVE.has(row.job.state)) throw new ApiError("CONFLICT", `The scene cannot be edited while a job of it is ${row.job.state}.`, { hint: "Wait for its end, or cancel it." });
    return { id: row.id, attempt: shown.attempt, shown };
  }

  /** Shows the scene of an earlier attempt. */
  choose(attempt: number): void {
    if (ACTIVE.has(this.row().job.state)) throw new ApiError("CONFLICT", "Another scene can be shown once the job under way has ended.");
    if (!this.#store.results().some((job) => job.attempt === attempt)) throw new ApiError("CONFLICT", `Attempt ${attempt} made no scene.`, { hint: "Choose one of the project's `results`." });
    this.change({ chosen: attempt });
  }

  get index(): Remote<Index> {
    return indexStub(this.#env);
  }

  /** Applies an event and, if it changed anything, stores and announces it. Sets the alarm in any case. */
  async apply(event: Event): Promise<void> {
    const id = this.#store.row?.id;
    if (id === undefined) return;
    const confirmed = event.type === "completed" ? { ...event, report: await confirmArtifacts(this.#env.BUCKET, id, event.report) } : event;
    const cover = event.type === "completed" && event.attempt === this.#store.row?.job.attempt ? await this.#edits.copyCover(id, this.#store.row.job) : null;
    // Read after the wait: from here to the write nothing else runs.
    const before = this.#store.row?.job;
    if (before === undefined) return;
    const job = transition(before, confirmed, Date.now());
    if (job !== before) {
      if (job.state === "done") this.#edits.carryOn(job, cover);
      this.change(job.state === "done" ? { job, chosen: null } : { job });
      if (job.state === "failed") console.warn(`attempt ${job.attempt} of ${id} failed: ${job.error?.code}${job.error?.code === "TIME_LIMIT" ? `; ${MORE_TIME}` : ""}`);
      await this.updateIndexIfStale();
    }
    await this.arm();
  }

  change(changes: Partial<Pick<ProjectRow, "name" | "job" | "chosen">>): void {
    const before = this.#store.row;
    for (const job of [before?.job, changes.job]) if (changes.job !== undefined && job?.state === "done") this.#store.keepResult(job);
    const updated_at = Math.max(Date.now(), (before?.updated_at ?? 0) + 1);
    // Progress is for those who watch; the index holds names and states.
    const stale = changes.job === undefined || changes.job.state !== before?.job.state;
    this.#store.update({ ...changes, updated_at, ...(stale ? { index_dirty: true } : {}) });
    if (this.#store.row?.deleting_until === null) this.#watchers.send(() => this.view());
  }

  /** Sends the index the newest state and, once an attempt has ended, what it cost. The index counts a repeated settlement once. */
  async updateIndex(): Promise<void> {
    const { row } = this.#store;
    if (row === undefined) return;
    const ended = FINAL.has(row.job.state) && row.job.attempt > 0 ? settlement(row.id, row.job, settingsOf(this.#env).price.usd_per_s) : null;
    try {
      if (row.deleting_until === null) await this.index.record(this.view(), row.updated_at, ended);
      else if (ended !== null) await this.index.settle(ended);
      if (this.#store.row?.updated_at === row.updated_at) this.#store.update({ index_dirty: false });
    } catch (error) {
      this.#store.update({ index_dirty: true });
      await this.arm();
      console.error(`index not updated, the alarm repeats it: ${String(error)}`);
    }
  }

  async updateIndexIfStale(): Promise<void> {
    if (this.#store.row?.index_dirty === true) await this.updateIndex();
  }

  /** Sets the alarm to the next thing that is due. */
  async arm(): Promise<void> {
    const { row } = this.#store;
    if (row === undefined || row.deleting_until !== null) return;
    const now = Date.now();
    const due = nextAlarm(row.job, now, { askedAt: row.asked_at, hurry: row.hurry });
    const at = row.index_dirty ? Math.min(due ?? Number.POSITIVE_INFINITY, now + RETRY_EVERY_MS) : due;
    if (at === null) await this.#ctx.storage.deleteAlarm();
    else await this.#ctx.storage.setAlarm(at);
  }
}
