// What counts as a photo: names, types, sizes, first bytes. Pure rules over declared and stored photos.
// Server-made names only; a user's file name is shown, never used as a key.
import * as z from "zod/mini";

import { PHOTO_NAME_LENGTH_MAX, type Limits } from "../../shared/limits.ts";
import { MEDIA_TYPES, PHOTO_TYPES, type PhotoType } from "../../shared/photo-types.ts";
import { positiveInt } from "../../shared/schema.ts";
import { ApiError } from "../errors.ts";
import { words } from "../schema.ts";

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

export interface Plan {
  /** One photo per declaration, in its order; `as` of an earlier declaration is kept (a resumed upload). */
  readonly photos: readonly Photo[];
  /** Those of `photos` that are new. */
  readonly added: readonly Photo[];
  readonly nextNumber: number;
}

/** Names the declared photos and checks caps. Throws ApiError with the numbers that were passed and are allowed. */
export function planUploads(
  declared: readonly PhotoDeclaration[],
  existing: readonly Photo[],
  nextNumber: number,
  limits: Limits,
): Plan {
  for (const { name, bytes } of declared) {
    if (bytes > limits.photo_bytes_max) {
      throw new ApiError("TOO_LARGE", `"${name}" has ${bytes} bytes, allowed ${limits.photo_bytes_max}.`, {
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
    throw new ApiError("CONFLICT", `The project would have ${count} photos, allowed ${limits.photos_max}.`, {
      hint: "Delete photos that show little, then add others.",
    });
  }
  const bytes = [...existing, ...added].reduce((sum, photo) => sum + photo.bytes, 0);
  if (bytes > limits.project_bytes_max) {
    throw new ApiError("TOO_LARGE", `The project would have ${bytes} bytes of photos, allowed ${limits.project_bytes_max}.`, {
      hint: "Make the photos smaller, or delete some.",
    });
  }
  return { photos, added, nextNumber: nextNumber + added.length };
}
