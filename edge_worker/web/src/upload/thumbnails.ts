// Stores the thumbnails that the intake made, so that the photos can be shown later without downloading them.
// Never fails an upload: a scene is complete without them.
import { THUMBNAILS_PER_CALL_MAX } from "../../../shared/limits.ts";
import { api } from "../api/api.ts";
import type { PhotoToSend } from "../intake/intake.ts";
import { batches, without } from "./plan.ts";

export async function sendThumbnails(projectId: string, photos: readonly PhotoToSend[]): Promise<void> {
  try {
    const { photos: stored } = await api.photos(projectId);
    for (const batch of batches(without(photos, stored), THUMBNAILS_PER_CALL_MAX)) {
      await api.addThumbnails(projectId, await Promise.all(batch.map(async ({ as, small }) => ({ as, image: await base64(small) }))));
    }
  } catch (error) {
    console.warn("Thumbnails were not stored:", error);
  }
}

function base64(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(reader.error ?? new Error("The thumbnail could not be read."));
    reader.readAsDataURL(blob);
  });
}
