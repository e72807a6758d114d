// The limits of one stack, and those that are the same in every stack.
// Names and shapes only: src/project and src/account enforce them, the page checks the ones it can before an upload.
import * as z from "zod/mini";

import { amount, count, positiveInt } from "./schema.ts";

/** The binding LIMITS, from the stack's configuration. */
export const LimitsSchema = z.object({
  photos_min: positiveInt,
  photos_max: positiveInt,
  photo_bytes_max: positiveInt,
  project_bytes_max: positiveInt,
  upload_bytes_per_day: positiveInt,
  job_seconds_max: positiveInt,
  jobs_per_day: count,
  jobs_at_once: count,
  budget_usd_per_month: amount,
  /** Failed starts of workers in a row that stop the service. At 0 they never do. */
  start_failures_max: z._default(count, 5),
});
export type Limits = z.infer<typeof LimitsSchema>;

/** The part that callers can read (GET /api/settings). */
export const PhotoLimitsSchema = z.pick(LimitsSchema, { photos_min: true, photos_max: true, photo_bytes_max: true });
export type PhotoLimits = z.infer<typeof PhotoLimitsSchema>;

/** The binding CARD: the smallest card that a job can get, and the most photos of each preset that its memory holds. */
export const CardSchema = z.object({ name: z.string(), memory_gb: positiveInt, photos_max: z.object({ preview: count, standard: count, high: count }) });
export type Card = z.infer<typeof CardSchema>;

export const PHOTOS_PER_CALL_MAX = 50;
/** The free plan allows 50 subrequests a call; each thumbnail is one. */
export const THUMBNAILS_PER_CALL_MAX = 40;
export const PHOTO_NAME_LENGTH_MAX = 255;
export const PROJECT_NAME_LENGTH_MAX = 120;

/** Inside of a character class: control characters, line ends, and marks that turn the direction of writing. A name with one can pass for another. */
export const INVISIBLE = "\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069";
