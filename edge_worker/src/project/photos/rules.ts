// What counts as a photo: names, types, sizes, first bytes. Pure rules over declared and stored photos.
// Server-made names only; a user's file name is shown, never used as a key.
import * as z from "zod/mini";

import { PHOTO_NAME_LENGTH_MAX, type Limits } from "../../../shared/limits.ts";
import {
  MEDIA_TYPES,
  SOURCE_EXTENSIONS,
  VIDEO_BYTES_MAX,
  VIDEO_MEDIA_TYPES,
  VIDEO_SECONDS_MAX,
  framesWanted,
  isVideo,
  type SourceType,
} from "../../../shared/photo-types.ts";
import { positiveInt } from "../../../shared/schema.ts";
import { ApiError } from "../../errors.ts";
import { readableBytes } from "../../format.ts";
import { words } from "../../schema.ts";

const DECLARED = {
  name: words(PHOTO_NAME_LENGTH_MAX),
  bytes: positiveInt,
  sha256: z.nullish(z.string().check(z.regex(/^[0-9a-f]{64}$/))),
};
export const PhotoDeclarationSchema = z.discriminatedUnion("type", [
  z.strictObject({ ...DECLARED, type: z.enum(MEDIA_TYPES) }),
  z.strictObject({
    ...DECLARED,
    type: z.enum(VIDEO_MEDIA_TYPES),
    /** Its length, from which its frames are counted. */
    seconds: z.number().check(z.positive(), z.lte(VIDEO_SECONDS_MAX)),
  }),
]);
export type PhotoDeclaration = z.infer<typeof PhotoDeclarationSchema>;

/** A photo or a clip. frames: how many photos a clip counts for; null for a photo. */
export interface Photo {
  readonly as: string;
  readonly name: string;
  readonly type: SourceType;
  readonly frames: number | null;
  readonly bytes: number;
  readonly sha256: string | null;
  readonly uploaded: boolean;
}

/** realType: by its first bytes; null before the check, "" for no accepted type. thumbnail: whether one is stored. */
export interface PhotoRow extends Photo {
  readonly realType: SourceType | "" | null;
  readonly thumbnail: boolean;
}

export interface Plan {
  /** One photo per declaration, in its order; a resumed upload keeps its `as`. */
  readonly photos: readonly Photo[];
  /** Those of `photos` that are new. */
  readonly added: readonly Photo[];
  readonly nextNumber: number;
}

/** Names the declared photos and checks the limits. Throws ApiError with the value and the limit. */
export function planUploads(
  declared: readonly PhotoDeclaration[],
  existing: readonly Photo[],
  nextNumber: number,
  limits: Limits,
): Plan {
  for (const { name, bytes, type } of declared) {
    if (isVideo(type)) {
      checkClip(name, bytes);
    } else if (bytes > limits.photo_bytes_max) {
      throw new ApiError("TOO_LARGE", `"${name}" is ${readableBytes(bytes)}, more than the limit of ${readableBytes(limits.photo_bytes_max)} per photo.`, {
        hint: "Make the photo smaller, for example 4000 pixels wide.",
      });
    }
  }
  const waiting = existing.filter(({ uploaded }) => !uploaded);
  const added: Photo[] = [];
  let room = limits.photos_max - photosIn(existing);
  const photos = declared.map((one): Photo => {
    const at = waiting.findIndex(({ name, bytes, type }) => name === one.name && bytes === one.bytes && type === one.type);
    const resumed = at >= 0 ? waiting.splice(at, 1)[0] : undefined;
    if (resumed !== undefined) return resumed;
    const as = `${String(nextNumber + added.length).padStart(4, "0")}.${SOURCE_EXTENSIONS[one.type]}`;
    // Frames fill what is left of the limit, but a clip needs at least one.
    const frames = "seconds" in one ? Math.max(1, Math.min(framesWanted(one.seconds), room)) : null;
    room -= frames ?? 1;
    const photo: Photo = { as, name: one.name, type: one.type, frames, bytes: one.bytes, sha256: one.sha256 ?? null, uploaded: false };
    added.push(photo);
    return photo;
  });
  const count = photosIn([...existing, ...added]);
  if (count > limits.photos_max) {
    throw new ApiError("CONFLICT", `The project would have ${count} photos, more than the limit of ${limits.photos_max}.`, {
      hint: "Delete the photos that show least, then add others.",
    });
  }
  const bytes = [...existing, ...added].reduce((sum, photo) => sum + photo.bytes, 0);
  if (bytes > limits.project_bytes_max) {
    throw new ApiError("TOO_LARGE", `The photos would be ${readableBytes(bytes)} together, more than the limit of ${readableBytes(limits.project_bytes_max)} per project.`, {
      hint: "Make the photos smaller, or delete some.",
    });
  }
  return { photos, added, nextNumber: nextNumber + added.length };
}

function checkClip(name: string, bytes: number): void {
  if (bytes > VIDEO_BYTES_MAX) {
    throw new ApiError("TOO_LARGE", `"${name}" is ${readableBytes(bytes)}, more than the limit of ${readableBytes(VIDEO_BYTES_MAX)} per clip.`, {
      hint: "Cut the clip into parts, or film in 1080p.",
    });
  }
}

/** How many photos a set counts for: a clip counts for its frames. */
export function photosIn(photos: readonly Photo[]): number {
  return photos.reduce((sum, { frames }) => sum + (frames ?? 1), 0);
}

const NAMES_SHOWN = 5;

/** Throws unless the photos can go into a job: all uploaded, all of known types, enough of them. */
export function checkPhotoSet(photos: readonly PhotoRow[], limits: Limits): void {
  const missing = photos.filter(({ uploaded }) => !uploaded);
  if (missing.length > 0) {
    throw new ApiError("CONFLICT", `${missing.length} of ${photos.length} photos are not uploaded yet: ${names(missing)}.`, {
      hint: "Upload them or delete them from the project, then start again.",
    });
  }
  const alien = photos.filter(({ realType }) => realType === "");
  if (alien.length > 0) {
    throw new ApiError("CONFLICT", `${alien.length} of ${photos.length} files are not JPEG, PNG, WebP, HEIC or AVIF photos, nor MP4 or MOV clips: ${names(alien)}.`, {
      hint: "Delete them from the project, then start again.",
    });
  }
  if (photosIn(photos) < limits.photos_min) {
    throw new ApiError("CONFLICT", `The project has ${photosIn(photos)} photos. A scene needs at least ${limits.photos_min}.`, {
      hint: "Add photos taken from more sides. Each should overlap its neighbours by about two thirds.",
    });
  }
}

function names(photos: readonly PhotoRow[]): string {
  const shown = photos.slice(0, NAMES_SHOWN).map(({ name, as }) => `"${name}" (${as})`);
  return photos.length > NAMES_SHOWN ? `${shown.join(", ")} and ${photos.length - NAMES_SHOWN} more` : shown.join(", ");
}
