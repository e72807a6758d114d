// Projects as last seen on any page, so that opening one shows it at once.
// A cache only: pages that show an entry also request the current one.
import type { Project } from "../../../shared/contracts/project.ts";

const seen = new Map<string, Project>();

export const lastSeen = (projectId: string): Project | null => seen.get(projectId) ?? null;

export function remember(project: Project): void {
  seen.set(project.id, project);
}

export function forget(projectId: string): void {
  seen.delete(projectId);
}
