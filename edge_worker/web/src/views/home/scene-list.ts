// Merges pages of the list of scenes that arrive at different times.
// Pure. The newest response wins, and no scene is listed twice.
import type { Project } from "../../../../shared/contracts/project.ts";

export interface Pages {
  projects: readonly Project[];
  /** Where the next older page begins. Null at the end. */
  cursor: string | null;
}

/** Puts a newer first page above the older pages. Scenes that it no longer lists were deleted. */
export function refresh(first: Pages, old: Pages | null): Pages {
  if (!old || old.projects.length <= first.projects.length) return first;
  const fresh = new Set(first.projects.map(({ id }) => id));
  const oldest = first.projects.at(-1)?.created_at ?? "";
  const older = old.projects.filter(({ id, created_at }) => !fresh.has(id) && created_at <= oldest);
  return { projects: [...first.projects, ...older], cursor: old.cursor };
}

/** Adds the next older page below. */
export function append(next: Pages, old: Pages | null): Pages {
  const there = new Set(old?.projects.map(({ id }) => id));
  return { projects: [...(old?.projects ?? []), ...next.projects.filter(({ id }) => !there.has(id))], cursor: next.cursor };
}
