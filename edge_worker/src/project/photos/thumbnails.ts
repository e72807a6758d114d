// Small pictures of a project's photos, made by the browser that uploaded them: a page of photos then reads kilobytes, not gigabytes.
// A project is complete without them.
import { keys } from "../../clients/bucket-keys.ts";
import { ApiError } from "../../errors.ts";
import type { ProjectRecord } from "../record.ts";
import type { ProjectStore } from "../store.ts";

const TYPE = "image/jpeg";

export interface Thumbnail {
  readonly as: string;
  /** JPEG. */
  readonly image: Uint8Array;
}

export class Thumbnails {
  readonly #bucket: R2Bucket;
  readonly #store: ProjectStore;
  readonly #record: ProjectRecord;

  constructor(bucket: R2Bucket, store: ProjectStore, record: ProjectRecord) {
    this.#bucket = bucket;
    this.#store = store;
    this.#record = record;
  }

  /** Stores each in its photo's place. NOT_FOUND, and nothing is stored, if one is of no photo of this project. */
  async add(thumbnails: readonly Thumbnail[]): Promise<void> {
    const { id } = this.#record.row();
    const known = new Set(this.#store.photos().map(({ as }) => as));
    const unknown = thumbnails.find(({ as }) => !known.has(as));
    if (unknown !== undefined) throw new ApiError("NOT_FOUND", `This project has no photo "${unknown.as}".`);
    await Promise.all(thumbnails.map(({ as, image }) => this.#bucket.put(keys.thumbnail(id, as), image, { httpMetadata: { contentType: TYPE } })));
    for (const { as } of thumbnails) this.#store.markThumbnail(as);
  }
}
