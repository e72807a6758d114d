// The list of scenes out of pages that arrive at different times.
// Pure; the newest answer wins, and no scene is shown twice.
import type { Project } from "../../../../shared/contracts/project.ts";

export interface Pages {
  projects: readonly Project[];
  /** Where the next older page begins; null at the end. */
  cursor: string | null;
}

/** A newer first page on top of the older ones that were already fetched. What it left out in between is gone. */
export function refresh(first: Pages, old: Pages | null): Pages {
  if (!old || old.projects.length <= first.projects.length) return first;
  const fresh = new Set(first.projects.map(({ id }) => id));
  const oldest = first.projects.at(-1)?.created_at ?? "";
  const older = old.projects.filter(({ id, created_at }) => !fresh.has(id) && created_at <= oldest);
  return { projects: [...first.projects, ...older], cursor: old.cursor };
}

/** The next older page below what is there. */
export function append(next: Pages, old: Pages | null): Pages {
  const there = new Set(old?.projects.map(({ id }) => id));
  return { projects: [...(old?.projects ?? []), ...next.projects.filter(({ id }) => !there.has(id))], cursor: next.cursor };
}
