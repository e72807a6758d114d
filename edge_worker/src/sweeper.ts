// Once an hour: deletes projects that were begun and forgotten, so that their photos do not cost money for ever.
// Touches only projects that never had a job; everything else is somebody's work.
import { indexStub } from "./account/stub.ts";
import type { Env } from "./env.ts";
import { isRefusal } from "./errors.ts";
import { projectStub } from "./project/stub.ts";

/** Longer than anybody leaves an upload lying that is still wanted. */
export const ABANDONED_AFTER_MS = 7 * 24 * 3600 * 1000;
/** Within the free plan's subrequests of one call: up to two for each. */
const PROJECTS_PER_RUN = 20;

/** Returns how many projects were deleted. One that cannot be deleted now does not keep the others waiting. */
export async function sweepAbandoned(env: Env, now: number): Promise<number> {
  const index = indexStub(env);
  let swept = 0;
  for (const id of await index.abandoned(now - ABANDONED_AFTER_MS, PROJECTS_PER_RUN)) {
    try {
      const refusal = await projectStub(env, id).remove();
      // The list names a project that is gone: take it off, or it would stand first in every run to come.
      if (isRefusal(refusal)) await index.remove(id);
      else swept += 1;
    } catch (error) {
      console.error(`could not delete an abandoned project: ${String(error)}`);
    }
  }
  return swept;
}
