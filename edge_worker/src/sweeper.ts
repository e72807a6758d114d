// Once an hour: deletes projects that were started and abandoned, so that their photos do not cost money for ever.
// Only projects that never had a job; everything else is somebody's work.
import { indexStub } from "./account/stub.ts";
import type { Env } from "./env.ts";
import { isRefusal } from "./errors.ts";
import { projectStub } from "./project/stub.ts";

/** Nobody comes back to an unfinished upload after this time. */
export const ABANDONED_AFTER_MS = 7 * 24 * 3600 * 1000;
/** Within the free plan's subrequests of one call: up to two for each. */
const PROJECTS_PER_RUN = 20;

/** Returns how many projects were deleted. A project that cannot be deleted now does not block the others. */
export async function sweepAbandoned(env: Env, now: number): Promise<number> {
  const index = indexStub(env);
  let swept = 0;
  for (const id of await index.abandoned(now - ABANDONED_AFTER_MS, PROJECTS_PER_RUN)) {
    try {
      const refusal = await projectStub(env, id).remove();
      // The project is gone already: remove it from the list, or every run would begin with it.
      if (isRefusal(refusal)) await index.remove(id);
      else swept += 1;
    } catch (error) {
      console.error(`could not delete an abandoned project: ${String(error)}`);
    }
  }
  return swept;
}
