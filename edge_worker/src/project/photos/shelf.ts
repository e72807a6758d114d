// The photos of one project between declaration and job: presigned PUTs, what arrived, what it really is.
// Trusts sizes and first bytes in the bucket, never the declaration alone.
import type { Upload } from "../../../shared/contracts/api.ts";
import { HEAD_BYTES, isVideo, photoType, videoType } from "../../../shared/photo-types.ts";
import { ACTIVE } from "../../../shared/stages.ts";
import { keys } from "../../clients/bucket-keys.ts";
import { Presigner } from "../../clients/presign.ts";
import { sha256Hex } from "../../crypto.ts";
import type { Env } from "../../env.ts";
import { ApiError, type Refusal } from "../../errors.ts";
import { settingsOf } from "../../settings.ts";
import { transition } from "../job/state.ts";
import { earlierAnswer } from "../once.ts";
import type { ProjectRecord } from "../record.ts";
import type { ProjectStore } from "../store.ts";
import { abortUpload } from "./parts.ts";
import { planUploads, type Photo, type PhotoDeclaration, type Plan, type PhotoRow } from "./rules.ts";

/** A phone on a slow line gets an hour for its batch; a resumed upload gets fresh addresses. */
const UPLOAD_EXPIRY_S = 3600;
/** A listing of the bucket answers all reads of this time. */
const SYNC_FRESH_MS = 1000;

/** The signature of an upload does not cover a Content-Encoding. With one, the stored bytes are no photo, and whoever reads them would unpack them. */
function isEncoded({ httpMetadata }: R2Object): boolean {
  return !["", "identity"].includes(httpMetadata?.contentEncoding?.trim().toLowerCase() ?? "");
}

export class PhotoShelf {
  readonly #env: Env;
  readonly #store: ProjectStore;
  readonly #record: ProjectRecord;
  #syncedAt = 0;

  constructor(env: Env, store: ProjectStore, record: ProjectRecord) {
    this.#env = env;
    this.#store = store;
    this.#record = record;
  }

  /**
   * Names the photos and signs a PUT for each, or returns the account's refusal. caller: whose bytes of the day these are.
   * onceKey: the same key again gets the same photos, with fresh addresses.
   */
  async declare(declared: readonly PhotoDeclaration[], caller: string, onceKey: string | null): Promise<Upload[] | Refusal> {
    const { id } = this.#record.changeable();
    const asked = await sha256Hex(JSON.stringify(declared));
    const known = earlierAnswer(this.#store, "photos", onceKey, asked);
    if (known !== null) {
      const names = new Set(JSON.parse(known) as string[]);
      return this.#sign(id, this.#store.photos().filter(({ as }) => names.has(as)));
    }
    const bytes = this.#plan(declared).added.reduce((sum, photo) => sum + photo.bytes, 0);
    const refusal = bytes === 0 ? null : await this.#record.index.grantUpload(caller, bytes);
    if (refusal !== null) return refusal;
    // Other calls ran meanwhile: a job may have started, names may have been given.
    this.#record.changeable();
    const plan = this.#plan(declared);
    this.#store.addPhotos(plan.added);
    this.#store.update({ next_photo: plan.nextNumber });
    if (onceKey !== null) this.#store.remember("photos", onceKey, { asked, answer: JSON.stringify(plan.photos.map(({ as }) => as)) }, Date.now());
    const uploads = await this.#sign(id, plan.photos);
    await this.#changed();
    return uploads;
  }

  async delete(as: string): Promise<void> {
    const { id } = this.#record.changeable();
    const upload = this.#store.upload(as);
    if (!this.#store.deletePhoto(as)) throw new ApiError("NOT_FOUND", `This project has no photo "${as}".`);
    if (upload !== undefined) await abortUpload(this.#env.BUCKET, id, upload);
    await this.#env.BUCKET.delete([keys.photo(id, as), keys.thumbnail(id, as)]);
    await this.#changed();
  }

  /** Compares the declared photos with the bucket while photos may still arrive; exact: also if that was done a moment ago. */
  async sync({ exact }: { readonly exact: boolean }): Promise<PhotoRow[]> {
    const { id, job } = this.#record.row();
    if (ACTIVE.has(job.state) || (!exact && Date.now() - this.#syncedAt < SYNC_FRESH_MS)) return this.#store.photos();
    const sizes = await this.#list(id);
    for (const photo of this.#store.photos()) {
      const arrived = sizes.get(photo.as) === photo.bytes;
      if (arrived !== photo.uploaded) this.#store.markUploaded(photo.as, arrived);
    }
    this.#syncedAt = Date.now();
    this.#count();
    await this.#record.updateIndexIfStale();
    return this.#store.photos();
  }

  /** Checks the first bytes of at most `max` uploaded photos that were not checked yet; returns how many are left. */
  async sniff(max: number): Promise<number> {
    const { id } = this.#record.row();
    const unseen = this.#store.photos().filter(({ uploaded, realType }) => uploaded && realType === null);
    await Promise.all(
      unseen.slice(0, max).map(async ({ as, type }) => {
        const object = await this.#env.BUCKET.get(keys.photo(id, as), { range: { offset: 0, length: HEAD_BYTES } });
        if (object === null) return;
        const head = new Uint8Array(await object.arrayBuffer());
        this.#store.setRealType(as, isEncoded(object) ? "" : ((isVideo(type) ? videoType(head) : photoType(head)) ?? ""));
      }),
    );
    return Math.max(0, unseen.length - max);
  }

  #plan(declared: readonly PhotoDeclaration[]): Plan {
    return planUploads(declared, this.#store.photos(), this.#store.row?.next_photo ?? 1, settingsOf(this.#env).limits);
  }

  /** One PUT for each photo, bound to type, exact size and first writer. A clip goes up in parts (see parts.ts). */
  async #sign(projectId: string, photos: readonly Photo[]): Promise<Upload[]> {
    const expiresAt = Date.now() + UPLOAD_EXPIRY_S * 1000;
    // Until then bytes may still arrive, also in a project that was deleted meanwhile.
    this.#store.update({ uploads_until: expiresAt });
    const presigner = new Presigner(settingsOf(this.#env));
    return Promise.all(
      photos.map(async ({ as, name, type, bytes }): Promise<Upload> => {
        if (isVideo(type)) return { name, as, method: "PARTS" };
        const terms = { contentType: type, bytes, writeOnce: true };
        const { url, headers } = await presigner.put(keys.photo(projectId, as), UPLOAD_EXPIRY_S, terms);
        return { name, as, method: "PUT", url, headers, expires_at: new Date(expiresAt).toISOString() };
      }),
    );
  }

  /** Sizes of the stored photos by name: one listing, 1 000 keys a call. */
  async #list(projectId: string): Promise<Map<string, number>> {
    const prefix = keys.photos(projectId);
    const sizes = new Map<string, number>();
    let cursor: string | undefined;
    do {
      const page: R2Objects = await this.#env.BUCKET.list({ prefix, ...(cursor === undefined ? {} : { cursor }) });
      for (const { key, size } of page.objects) sizes.set(key.slice(prefix.length), size);
      cursor = page.truncated ? page.cursor : undefined;
    } while (cursor !== undefined);
    return sizes;
  }

  /** After photos were declared or deleted. A checkpoint belongs to the photos that it was made from: with others it is void. */
  async #changed(): Promise<void> {
    this.#syncedAt = 0;
    this.#count();
    const { id, job } = this.#record.row();
    if (job.attempt > 0) await this.#env.BUCKET.delete(keys.checkpoint(id));
    await this.#record.updateIndex();
  }

  #count(): void {
    const before = this.#record.row().job;
    const { files, uploaded } = this.#store.photoTotals();
    const job = transition(before, { type: "photos", declared: files, uploaded }, Date.now());
    if (job !== before) this.#record.change({ job });
  }
}
