// Texts of a queued or running job.
import { plural } from "../lib/format.ts";

export const RUNNING = {
  around: (photos: number): string => `${plural(photos, "photo")} around the subject`,
  found: (cameras: number, photos: number): string => `${cameras} of ${plural(photos, "camera")} found so far, seen from above`,
} as const;
