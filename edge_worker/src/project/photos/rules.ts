// What counts as a photo: names, types, sizes, first bytes. Pure rules over declared and stored photos.
// Server-made names only; a user's file name is shown, never used as a key.
import * as z from "zod/mini";

import { PHOTO_NAME_LENGTH_MAX, type Limits } from "../../../shared/limits.ts";
import { MEDIA_TYPES, PHOTO_TYPES, type PhotoType } from "../../../shared/photo-types.ts";
import { positiveInt } from "../../../shared/schema.ts";
import { ApiError } from "../../errors.ts";
import { readableBytes } from "../../format.ts";
import { words } from "../../schema.ts";

export const PhotoDeclarationSchema = z.strictObject({
  name: words(PHOTO_NAME_LENGTH_MAX),
  type: z.enum(MEDIA_TYPES),
  bytes: positiveInt,
  sha256: z.nullish(z.string().check(z.regex(/^[0-9a-f]{64}$/))),
});
export type PhotoDeclaration = z.infer<typeof PhotoDeclarationSchema>;

export interface Photo {
  readonly as: string;
  readonly name: string;
  readonly type: PhotoType;
  readonly bytes: number;
  readonly sha256: string | null;
  readonly uploaded: boolean;
}

/** realType: by its first bytes; null before the check, "" for no accepted type. thumbnail: whether one is stored. */
export interface PhotoRow extends Photo {
  readonly realType: PhotoType | "" | null;
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
  for (const { name, bytes } of declared) {
    if (bytes > limits.photo_bytes_max) {
      throw new ApiError("TOO_LARGE", `"${name}" is ${readableBytes(bytes)}, more than the limit of ${readableBytes(limits.photo_bytes_max)} per photo.`, {
        hint: "Make the photo smaller, for example 4000 pixels wide.",
      });
    }
  }
  const waiting = existing.filter(({ uploaded }) => !uploaded);
  const added: Photo[] = [];
  const photos = declared.map((one): Photo => {
    const at = waiting.findIndex(({ name, bytes, type }) => name === one.name && bytes === one.bytes && type === one.type);
    const resumed = at >= 0 ? waiting.splice(at, 1)[0] : undefined;
    if (resumed !== undefined) return resumed;
    const as = `${String(nextNumber + added.length).padStart(4, "0")}.${PHOTO_TYPES[one.type]}`;
    const photo: Photo = { as, name: one.name, type: one.type, bytes: one.bytes, sha256: one.sha256 ?? null, uploaded: false };
    added.push(photo);
    return photo;
  });
  const count = existing.length + added.length;
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
    throw new ApiError("CONFLICT", `${alien.length} of ${photos.length} files are not JPEG, PNG, WebP or HEIC photos: ${names(alien)}.`, {
      hint: "Delete them from the project, then start again.",
    });
  }
  if (photos.length < limits.photos_min) {
    throw new ApiError("CONFLICT", `The project has ${photos.length} photos. A scene needs at least ${limits.photos_min}.`, {
      hint: "Add photos taken from more sides. Each should overlap its neighbours by about two thirds.",
    });
  }
}

function names(photos: readonly PhotoRow[]): string {
  const shown = photos.slice(0, NAMES_SHOWN).map(({ name, as }) => `"${name}" (${as})`);
  return photos.length > NAMES_SHOWN ? `${shown.join(", ")} and ${photos.length - NAMES_SHOWN} more` : shown.join(", ");
}
