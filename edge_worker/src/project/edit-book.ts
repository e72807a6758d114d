// The edits of one project's scene, newest last, so that each can be undone; and the pictures that they name as covers.
// An edit belongs to its attempt: another one has another frame.
import { EditSchema, UNEDITED, type Edit } from "../../shared/contracts/edit.ts";
import { keys } from "../clients/bucket-keys.ts";
import { ApiError } from "../errors.ts";
import { parseJson } from "../schema.ts";
import type { ProjectRow, ProjectStore } from "./store.ts";

/** Older ones cannot be undone. */
const EDITS_MAX = 50;
const COVER_TYPE = "image/jpeg";

/** The scene's edit as the API shows it. undo: how many edits can be undone. */
export interface EditState {
  readonly edit: Edit | null;
  readonly undo: number;
}

export class EditBook {
  readonly #store: ProjectStore;
  readonly #bucket: R2Bucket;

  constructor(store: ProjectStore, bucket: R2Bucket) {
    this.#store = store;
    this.#bucket = bucket;
  }

  /** An edit of a form that this version does not know counts as none. */
  state(attempt: number): EditState {
    const recipes = this.#store.edits(attempt);
    const last = recipes.at(-1);
    const parsed = last === undefined ? undefined : EditSchema.safeParse(parseJson(last));
    return { edit: parsed?.success === true ? parsed.data : null, undo: recipes.length };
  }

  set(row: ProjectRow, edit: Edit): void {
    const { attempt } = finished(row);
    if (edit.cover !== null && !this.#store.covers(attempt).includes(edit.cover)) {
      throw new ApiError("BAD_REQUEST", `body.cover: this scene has no cover ${edit.cover}`);
    }
    this.#store.addEdit(attempt, JSON.stringify({ ...edit, version: UNEDITED.version } satisfies Edit), EDITS_MAX);
  }

  undo(row: ProjectRow): void {
    const { attempt } = finished(row);
    if (!this.#store.dropEdit(attempt)) throw new ApiError("CONFLICT", "There is no edit to undo.");
  }

  /** Stores a picture for an edit to name, and removes those that no edit names. Returns its number. */
  async addCover(row: ProjectRow, image: Uint8Array, thumbnail: Uint8Array): Promise<number> {
    const { attempt } = finished(row);
    const kept = new Set(this.#store.edits(attempt).map((recipe) => (parseJson(recipe) as Partial<Edit>).cover));
    const unused = this.#store.covers(attempt).filter((cover) => !kept.has(cover));
    const cover = this.#store.nextCover(attempt);
    const httpMetadata = { contentType: COVER_TYPE };
    await this.#bucket.put(keys.cover(row.id, attempt, cover, "large"), image, { httpMetadata });
    await this.#bucket.put(keys.cover(row.id, attempt, cover, "small"), thumbnail, { httpMetadata });
    await this.#bucket.delete(unused.flatMap((one) => [keys.cover(row.id, attempt, one, "large"), keys.cover(row.id, attempt, one, "small")]));
    this.#store.replaceCovers(attempt, unused, cover);
    return cover;
  }
}

function finished({ job }: ProjectRow): { readonly attempt: number } {
  if (job.state === "done") return { attempt: job.attempt };
  throw new ApiError("CONFLICT", "Only a finished scene can be edited.");
}
