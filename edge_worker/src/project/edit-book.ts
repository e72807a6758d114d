// The edits of one project's scenes, newest last, so that each can be undone; and the pictures that they name as covers.
// An edit belongs to its attempt: another one has another frame.
import { EditSchema, UNEDITED, type Edit } from "../../shared/contracts/edit.ts";
import { keys } from "../clients/bucket-keys.ts";
import { ApiError } from "../errors.ts";
import { parseJson } from "../schema.ts";
import type { Job } from "./job/state.ts";
import type { ProjectStore } from "./store.ts";

/** Older ones cannot be undone. */
const EDITS_MAX = 50;
const COVER_TYPE = "image/jpeg";
const SIZES = ["large", "small"] as const;

/** The scene's edit as the API shows it. undo: how many edits can be undone. */
export interface EditState {
  readonly edit: Edit | null;
  readonly undo: number;
}

/** The scene that may be edited now: its project, and the attempt that made it. */
export interface Editable {
  readonly id: string;
  readonly attempt: number;
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

  set({ attempt }: Editable, edit: Edit): void {
    if (edit.cover !== null && !this.#store.covers(attempt).includes(edit.cover)) {
      throw new ApiError("BAD_REQUEST", `body.cover: this scene has no cover ${edit.cover}`);
    }
    this.#store.addEdit(attempt, JSON.stringify({ ...edit, version: UNEDITED.version } satisfies Edit), EDITS_MAX);
  }

  undo({ attempt }: Editable): void {
    if (!this.#store.dropEdit(attempt)) throw new ApiError("CONFLICT", "There is no edit to undo.");
  }

  /** Stores a picture for an edit to name, and removes those that no edit names. Returns its number. */
  async addCover({ id, attempt }: Editable, image: Uint8Array, thumbnail: Uint8Array): Promise<number> {
    const kept = new Set(this.#store.edits(attempt).map((recipe) => (parseJson(recipe) as Partial<Edit>).cover));
    const unused = this.#store.covers(attempt).filter((cover) => !kept.has(cover));
    const cover = this.#store.nextCover(attempt);
    const httpMetadata = { contentType: COVER_TYPE };
    await this.#bucket.put(keys.cover(id, attempt, cover, "large"), image, { httpMetadata });
    await this.#bucket.put(keys.cover(id, attempt, cover, "small"), thumbnail, { httpMetadata });
    await this.#bucket.delete(unused.flatMap((one) => SIZES.map((size) => keys.cover(id, attempt, one, size))));
    this.#store.replaceCovers(attempt, unused, cover);
    return cover;
  }

  /** Copies the cover of an edit that is being applied to the attempt that applies it. Returns its number; null: there is none. */
  async copyCover(id: string, { attempt, edit }: Job): Promise<number | null> {
    const cover = edit?.recipe.cover ?? null;
    if (cover === null || edit === null || edit === undefined) return null;
    for (const size of SIZES) {
      const picture = await this.#bucket.get(keys.cover(id, edit.base, cover, size));
      if (picture === null) return null;
      await this.#bucket.put(keys.cover(id, attempt, cover, size), await picture.arrayBuffer(), { httpMetadata: { contentType: COVER_TYPE } });
    }
    return cover;
  }

  /** An edit was applied: what files do not hold, its start view and cover, goes on to the new scene. */
  carryOn({ attempt, edit, report }: Job, cover: number | null): void {
    if (edit === null || edit === undefined) return;
    const start = report?.edited?.start ?? null;
    if (start === null && cover === null) return;
    if (cover !== null) this.#store.replaceCovers(attempt, [], cover);
    this.#store.addEdit(attempt, JSON.stringify({ ...UNEDITED, start, cover } satisfies Edit), EDITS_MAX);
  }
}
