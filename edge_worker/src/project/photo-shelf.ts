// The photos of one project between declaration and job: presigned PUTs, what arrived, what it really is.
// Trusts sizes and first bytes in the bucket, never the declaration alone.
import type { Upload } from "../../shared/contracts/api.ts";
import type { Limits } from "../../shared/limits.ts";
import { HEAD_BYTES, photoType } from "../../shared/photo-types.ts";
import { keys } from "../clients/bucket-keys.ts";
import type { Presigner } from "../clients/presign.ts";
import { ApiError } from "../errors.ts";
import { planUploads, type Photo, type PhotoDeclaration, type Plan } from "./photos.ts";
import type { PhotoRow, ProjectStore } from "./store.ts";

/** A phone on a slow line gets an hour for its batch; a resumed upload gets fresh addresses. */
export const UPLOAD_EXPIRY_S = 3600;

export class PhotoShelf {
  readonly #store: ProjectStore;
  readonly #bucket: R2Bucket;
  readonly #presigner: Presigner;

  constructor(store: ProjectStore, bucket: R2Bucket, presigner: Presigner) {
    this.#store = store;
    this.#bucket = bucket;
    this.#presigner = presigner;
  }

  /** What a declaration would add. Throws ApiError with the numbers where it breaks a cap. */
  plan(declared: readonly PhotoDeclaration[], limits: Limits): Plan {
    return planUploads(declared, this.#store.photos(), this.#store.row?.next_photo ?? 1, limits);
  }

  /** Writes a plan's photos down; in the same turn as plan(), so that no number is given twice. */
  add(plan: Plan): void {
    this.#store.addPhotos(plan.added);
    this.#store.update({ next_photo: plan.nextNumber });
  }

  /** Signs one PUT for each photo, bound to type, exact size and first writer. */
  async sign(projectId: string, photos: readonly Photo[], now: number): Promise<Upload[]> {
    // Until then bytes may still arrive, also in a project that was deleted meanwhile.
    this.#store.update({ uploads_until: now + UPLOAD_EXPIRY_S * 1000 });
    const expiresAt = new Date(now + UPLOAD_EXPIRY_S * 1000).toISOString();
    return Promise.all(
      photos.map(async ({ as, name, type, bytes }): Promise<Upload> => {
        const { url, headers } = await this.#presigner.put(keys.photo(projectId, as), UPLOAD_EXPIRY_S, {
          contentType: type,
          bytes,
          writeOnce: true,
        });
        return { name, as, method: "PUT", url, headers, expires_at: expiresAt };
      }),
    );
  }

  /** Compares the declared photos with one listing of the bucket (1 000 keys a call, sizes included). */
  async sync(projectId: string): Promise<PhotoRow[]> {
    const prefix = keys.photos(projectId);
    const sizes = new Map<string, number>();
    let cursor: string | undefined;
    do {
      const page: R2Objects = await this.#bucket.list({ prefix, ...(cursor === undefined ? {} : { cursor }) });
      for (const { key, size } of page.objects) sizes.set(key.slice(prefix.length), size);
      cursor = page.truncated ? page.cursor : undefined;
    } while (cursor !== undefined);
    for (const photo of this.#store.photos()) {
      const arrived = sizes.get(photo.as) === photo.bytes;
      if (arrived !== photo.uploaded) this.#store.markUploaded(photo.as, arrived);
    }
    return this.#store.photos();
  }

  /** Looks at the first bytes of at most `max` uploaded photos that were not looked at yet; returns how many are left. */
  async sniff(projectId: string, max: number): Promise<number> {
    const unseen = this.#store.photos().filter(({ uploaded, realType }) => uploaded && realType === null);
    await Promise.all(
      unseen.slice(0, max).map(async ({ as }) => {
        const object = await this.#bucket.get(keys.photo(projectId, as), { range: { offset: 0, length: HEAD_BYTES } });
        if (object === null) return;
        this.#store.setRealType(as, photoType(new Uint8Array(await object.arrayBuffer())) ?? "");
      }),
    );
    return Math.max(0, unseen.length - max);
  }

  async delete(projectId: string, as: string): Promise<void> {
    if (!this.#store.deletePhoto(as)) throw new ApiError("NOT_FOUND", `The project has no photo "${as}".`);
    await this.#bucket.delete(keys.photo(projectId, as));
  }
}

const NAMES_SHOWN = 5;

/** Throws unless the photos can go into a job: all uploaded, all pictures, enough of them. */
export function checkPhotoSet(photos: readonly PhotoRow[], limits: Limits): void {
  const missing = photos.filter(({ uploaded }) => !uploaded);
  if (missing.length > 0) {
    throw new ApiError("CONFLICT", `${missing.length} of ${photos.length} photos are not uploaded yet: ${names(missing)}.`, {
      hint: "Upload them or delete them from the project, then start again.",
    });
  }
  const alien = photos.filter(({ realType }) => realType === "");
  if (alien.length > 0) {
    throw new ApiError("CONFLICT", `${alien.length} of ${photos.length} files are not JPEG, PNG, WebP or HEIC pictures: ${names(alien)}.`, {
      hint: "Delete them from the project, then start again.",
    });
  }
  if (photos.length < limits.photos_min) {
    throw new ApiError("CONFLICT", `The project has ${photos.length} photos; a scene needs at least ${limits.photos_min}.`, {
      hint: "Add photos taken from more sides, each overlapping its neighbours by about two thirds.",
    });
  }
}

function names(photos: readonly PhotoRow[]): string {
  const shown = photos.slice(0, NAMES_SHOWN).map(({ name, as }) => `"${name}" (${as})`);
  return photos.length > NAMES_SHOWN ? `${shown.join(", ")} and ${photos.length - NAMES_SHOWN} more` : shown.join(", ");
}
