// The end of a project: gone at once for everybody, then swept in rounds until nobody can write to it any more.
// Each step may be interrupted or fail: the next round repeats it.
import { keys } from "../clients/bucket-keys.ts";
import type { JobRunner } from "./job/runner.ts";
import { transition } from "./job/state.ts";
import { abortUpload } from "./photos/parts.ts";
import { RETRY_EVERY_MS, type ProjectRecord } from "./record.ts";
import type { ProjectStore } from "./store.ts";
import type { Watchers } from "./watchers.ts";

const DELETE_PAGE = 1000;
const SWEEP_EVERY_MS = 10 * 60_000;
const SOON_MS = 1000;

export class Deletion {
  readonly #storage: DurableObjectStorage;
  readonly #bucket: R2Bucket;
  readonly #store: ProjectStore;
  readonly #record: ProjectRecord;
  readonly #jobs: JobRunner;
  readonly #watchers: Watchers;

  constructor(storage: DurableObjectStorage, bucket: R2Bucket, parts: { store: ProjectStore; record: ProjectRecord; jobs: JobRunner; watchers: Watchers }) {
    this.#storage = storage;
    this.#bucket = bucket;
    this.#store = parts.store;
    this.#record = parts.record;
    this.#jobs = parts.jobs;
    this.#watchers = parts.watchers;
  }

  /** Marks the project as gone; sweep() does the rest, now and by alarm. */
  async begin(): Promise<void> {
    const row = this.#record.row();
    const now = Date.now();
    const job = transition(row.job, { type: "cancel" }, now);
    // A worker that is still running holds addresses to write to until the deadline, a browser until its addresses expire.
    const workerUntil = job.attempt > 0 && job.deadlineAt !== null && job.state !== "done" ? job.deadlineAt : now;
    const until = Math.max(now, workerUntil, row.uploads_until);
    this.#store.update({ job, deleting_until: until, index_dirty: true });
    await this.#storage.setAlarm(now + SOON_MS);
    this.#watchers.closeAll("The project was deleted.");
    // The project is gone already; the alarm repeats a step that fails here.
    await this.sweep().catch((error: unknown) => console.error(`deletion interrupted, the alarm continues it: ${String(error)}`));
  }

  /** One round: the index's entry, the job, the bytes and, when nothing can be written any more, this object's own rows. */
  async sweep(): Promise<void> {
    const { row } = this.#store;
    if (row === undefined || row.deleting_until === null) return;
    await this.#record.index.remove(row.id);
    await this.#record.updateIndexIfStale();
    await this.#jobs.confirmCancels();
    await Promise.all(this.#store.uploads().map((upload) => abortUpload(this.#bucket, row.id, upload)));
    await this.#deleteBytes(keys.project(row.id));
    const now = Date.now();
    const pending = this.#store.row?.index_dirty === true || (this.#store.row?.job.toCancel.length ?? 0) > 0;
    if (now >= row.deleting_until && !pending) {
      await this.#storage.deleteAlarm();
      await this.#storage.deleteAll();
      this.#store.forget();
      return;
    }
    const next = pending ? now + RETRY_EVERY_MS : Math.min(now + SWEEP_EVERY_MS, Math.max(now + SOON_MS, row.deleting_until));
    await this.#storage.setAlarm(next);
  }

  async #deleteBytes(prefix: string): Promise<void> {
    for (let more = true; more; ) {
      const { objects, truncated } = await this.#bucket.list({ prefix, limit: DELETE_PAGE });
      if (objects.length > 0) await this.#bucket.delete(objects.map(({ key }) => key));
      more = truncated;
    }
  }
}
