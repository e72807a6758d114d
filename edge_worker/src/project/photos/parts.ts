// A clip on its way into the bucket, in parts: what is stored, the addresses of what is missing, the assembly at the end.
// Remembers what uploaders report, so an upload continues after a reload, in another browser or from a command line.
import type { Part, Parts } from "../../../shared/contracts/api.ts";
import { PART_BYTES, isVideo } from "../../../shared/photo-types.ts";
import { keys } from "../../clients/bucket-keys.ts";
import { Presigner } from "../../clients/presign.ts";
import type { Env } from "../../env.ts";
import { ApiError } from "../../errors.ts";
import { settingsOf } from "../../settings.ts";
import type { ProjectRecord } from "../record.ts";
import type { PartsUpload, ProjectStore } from "../store.ts";
import type { PhotoRow } from "./rules.ts";

/** As many as uploaders send at once. What is stored and not yet reported is sent again after a reload, so it is kept small. */
const PARTS_PER_CALL = 4;
const PART_EXPIRY_S = 3600;
/** The bucket's rule ends unfinished uploads after 7 days (infra/components/storage.py). Before that a new one begins. */
const UPLOAD_FRESH_MS = 6 * 24 * 3600 * 1000;
/** R2's numbers for an upload that does not exist (any more), and for parts that are not what was reported. */
const VOID_UPLOAD = /\((?:10011|10024|10025|10048)\)/;

/** A part that the bucket holds, as its uploader reports it. */
export interface StoredPart {
  readonly number: number;
  readonly etag: string;
}

export class ClipParts {
  readonly #env: Env;
  readonly #store: ProjectStore;
  readonly #record: ProjectRecord;

  constructor(env: Env, store: ProjectStore, record: ProjectRecord) {
    this.#env = env;
    this.#store = store;
    this.#record = record;
  }

  /** Takes note of parts that were stored, and answers with the next missing ones; when none is missing, assembles the clip. */
  async next(as: string, reported: readonly StoredPart[]): Promise<Parts> {
    const { id } = this.#record.changeable();
    const clip = this.#clip(as);
    const key = keys.photo(id, as);
    if ((await this.#env.BUCKET.head(key))?.size === clip.bytes) return { stored: clip.bytes, parts: [], complete: true };
    const all = Array.from({ length: Math.ceil(clip.bytes / PART_BYTES) }, (_, at) => partOf(clip.bytes, at + 1));
    const started = await this.#started(clip, key);
    const news = reported.filter(({ number }) => number <= all.length).map(({ number, etag }) => [number, etag] as const);
    const upload: PartsUpload = { ...started, parts: { ...started.parts, ...Object.fromEntries(news) } };
    this.#store.setUpload(as, upload);
    const missing = all.filter(({ number }) => upload.parts[number] === undefined);
    if (missing.length === 0) {
      await this.#assemble(clip, key, upload);
      return { stored: clip.bytes, parts: [], complete: true };
    }
    const stored = clip.bytes - missing.reduce((sum, { bytes }) => sum + bytes, 0);
    return { stored, parts: await this.#sign(key, upload, missing.slice(0, PARTS_PER_CALL)), complete: false };
  }

  #clip(as: string): PhotoRow {
    const clip = this.#store.photos().find((photo) => photo.as === as);
    if (clip === undefined) throw new ApiError("NOT_FOUND", `This project has no photo "${as}".`);
    if (!isVideo(clip.type)) throw new ApiError("CONFLICT", `"${clip.name}" is a photo. Only clips are uploaded in parts.`, { hint: "Declare it again, and PUT it to the address in the answer." });
    return clip;
  }

  /** The upload under way, or a new one. */
  async #started({ as, type }: PhotoRow, key: string): Promise<PartsUpload> {
    const known = this.#store.upload(as);
    if (known !== undefined && Date.now() - known.at < UPLOAD_FRESH_MS) return known;
    const { uploadId } = await this.#env.BUCKET.createMultipartUpload(key, { httpMetadata: { contentType: type } });
    const upload: PartsUpload = { as, id: uploadId, at: Date.now(), parts: {} };
    // It may have been deleted meanwhile; the bucket's rule ends what was started for it.
    this.#clip(as);
    this.#store.setUpload(as, upload);
    return upload;
  }

  async #assemble(clip: PhotoRow, key: string, upload: PartsUpload): Promise<void> {
    const parts = Object.entries(upload.parts).map(([number, etag]) => ({ partNumber: Number(number), etag }));
    try {
      await this.#env.BUCKET.resumeMultipartUpload(key, upload.id).complete(parts);
    } catch (error) {
      // Another call may have assembled it.
      if ((await this.#env.BUCKET.head(key))?.size === clip.bytes) return;
      if (!VOID_UPLOAD.test(String(error))) throw new ApiError("UPSTREAM", `The storage could not assemble "${clip.name}".`, { hint: "Try again in a minute." });
      this.#store.setUpload(clip.as, null);
      await abortUpload(this.#env.BUCKET, this.#record.row().id, upload);
      throw new ApiError("CONFLICT", `The storage does not hold the reported parts of "${clip.name}".`, { hint: "Upload the clip again." });
    }
    this.#store.setUpload(clip.as, null);
  }

  async #sign(key: string, { id }: PartsUpload, parts: readonly Omit<Part, "url" | "expires_at">[]): Promise<Part[]> {
    const expiresAt = Date.now() + PART_EXPIRY_S * 1000;
    // Until then bytes may still arrive, also in a project that was deleted meanwhile.
    this.#store.update({ uploads_until: expiresAt });
    const presigner = new Presigner(settingsOf(this.#env));
    return Promise.all(parts.map(async (part) => ({ ...part, url: await presigner.part(key, { ...part, id }, PART_EXPIRY_S), expires_at: new Date(expiresAt).toISOString() })));
  }
}

/** Part `number` (from 1) of a clip of so many bytes. */
function partOf(clipBytes: number, number: number): Omit<Part, "url" | "expires_at"> {
  const offset = (number - 1) * PART_BYTES;
  return { number, offset, bytes: Math.min(PART_BYTES, clipBytes - offset) };
}

/** Frees the room of stored parts. An upload that is gone already is no error. */
export async function abortUpload(bucket: R2Bucket, projectId: string, { as, id }: Pick<PartsUpload, "as" | "id">): Promise<void> {
  await bucket.resumeMultipartUpload(keys.photo(projectId, as), id).abort().catch((error: unknown) => {
    if (!VOID_UPLOAD.test(String(error))) throw error;
  });
}
