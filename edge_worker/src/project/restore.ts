// A project from a backup: its rows become this object's, and a job that nothing can follow ends.
// Replaces nothing unless allowed, and never a project whose job runs.
import { OUTPUT_NAMES } from "../../shared/contracts/job-input.ts";
import { ProjectSchema } from "../../shared/contracts/project.ts";
import { ACTIVE } from "../../shared/stages.ts";
import { keys } from "../clients/bucket-keys.ts";
import { ApiError } from "../errors.ts";
import { doesNotFit, type Tables } from "../rows.ts";
import { isWaiting } from "./job/state.ts";
import type { ProjectRecord } from "./record.ts";
import type { ProjectStore } from "./store.ts";
import { viewProject } from "./view.ts";

export interface Restored {
  /** kept: there is a project with this id already. */
  readonly result: "restored" | "kept";
  /** Photos and artifacts of the rows that are not in the bucket. */
  readonly missing: number;
}

/** Without RunPod's id nothing can follow the attempt, and nobody wants a job to start days after its person asked for it. */
const NOT_SUBMITTED = "The service was restored from a backup that was made before RunPod had this job. Start it again.";

export class ProjectRestore {
  readonly #storage: DurableObjectStorage;
  readonly #bucket: R2Bucket;
  readonly #store: ProjectStore;
  readonly #record: ProjectRecord;

  constructor(storage: DurableObjectStorage, bucket: R2Bucket, parts: { readonly store: ProjectStore; readonly record: ProjectRecord }) {
    this.#storage = storage;
    this.#bucket = bucket;
    this.#store = parts.store;
    this.#record = parts.record;
  }

  /** Throws CONFLICT, and changes nothing, if the rows are not those of this project in a form that this release reads. */
  async load(id: string, tables: Tables, overwrite: boolean): Promise<Restored> {
    const { row: before } = this.#store;
    const isFree = before === undefined || (overwrite && before.deleting_until === null && !ACTIVE.has(before.job.state));
    if (!isFree) return { result: "kept", missing: 0 };
    try {
      this.#storage.transactionSync(() => this.#put(id, tables));
    } catch (error) {
      this.#store.reload();
      throw error;
    }
    this.#store.update({ asked_at: 0, hurry: false, index_dirty: true, deleting_until: null });
    const { job } = this.#record.row();
    if (ACTIVE.has(job.state) && (job.runpodId === null || isWaiting(job))) await this.#record.apply({ type: "cancel", reason: NOT_SUBMITTED });
    await this.#record.updateIndex();
    await this.#record.arm();
    return { result: "restored", missing: await this.#missing(id) };
  }

  #put(id: string, tables: Tables): void {
    let view: unknown;
    try {
      this.#store.replace(tables);
      const { row } = this.#store;
      view = row === undefined ? undefined : viewProject(row, this.#store.photoTotals(), { edit: null, undo: 0, results: this.#store.results() });
    } catch (error) {
      // Text that is no JSON, or a time that is none.
      if (error instanceof ApiError) throw error;
    }
    const shown = ProjectSchema.safeParse(view);
    if (!shown.success) throw doesNotFit(id, "this release cannot read them");
    if (shown.data.id !== id) throw doesNotFit(id, "they are of another project");
  }

  async #missing(id: string): Promise<number> {
    const photos = this.#store.photos().filter(({ uploaded }) => uploaded);
    const made = this.#store.results().flatMap(({ attempt, report }) => [
      ...OUTPUT_NAMES.filter((name) => report?.artifacts[name] !== undefined).map((name) => keys.output(id, attempt, name)),
      ...this.#store.covers(attempt).flatMap((cover) => [keys.cover(id, attempt, cover, "large"), keys.cover(id, attempt, cover, "small")]),
    ]);
    const wanted = new Set([...photos.map(({ as }) => keys.photo(id, as)), ...made]);
    let cursor: string | undefined;
    do {
      const page: R2Objects = await this.#bucket.list({ prefix: keys.project(id), ...(cursor === undefined ? {} : { cursor }) });
      for (const { key } of page.objects) wanted.delete(key);
      cursor = page.truncated ? page.cursor : undefined;
    } while (cursor !== undefined);
    return wanted.size;
  }
}
