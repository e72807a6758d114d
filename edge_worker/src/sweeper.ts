// Once an hour: deletes projects that were begun and forgotten, so that their photos do not cost money for ever.
// Touches only projects that never had a job; everything else is somebody's work.
import type { Env } from "./env.ts";
import { indexStub, projectStub } from "./stubs.ts";

/** Kept in step with the bucket's lifecycle rule for uploads. */
const ABANDONED_AFTER_MS = 7 * 24 * 3600 * 1000;
/** Within the free plan's subrequests of one call. */
const PROJECTS_PER_RUN = 20;

export async function sweepAbandoned(env: Env, now: number): Promise<number> {
  const ids = await indexStub(env).abandoned(now - ABANDONED_AFTER_MS, PROJECTS_PER_RUN);
  for (const id of ids) await projectStub(env, id).remove();
  return ids.length;
}
