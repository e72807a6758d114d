// Merges pages of the list of scenes that arrive at different times.
// Pure. The newest response wins, and no scene is listed twice.
import type { Project } from "../../../../shared/contracts/project.ts";
import type { State } from "../../../../shared/stages.ts";

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

/** What the list shows: all, or the scenes in these states. */
export const KINDS = ["all", "done", "active", "unfinished", "failed"] as const;
export type Kind = (typeof KINDS)[number];
export const KIND_WORDS: Readonly<Record<Kind, string>> = { all: "All scenes", done: "Done", active: "In progress", unfinished: "Not started", failed: "Failed or cancelled" };

const KIND_OF: Readonly<Record<State, Kind>> = { new: "unfinished", uploading: "unfinished", ready: "unfinished", queued: "active", running: "active", done: "done", failed: "failed", cancelled: "failed" };

export const ORDERS = ["newest", "oldest", "name"] as const;
export type Order = (typeof ORDERS)[number];
export const ORDER_WORDS: Readonly<Record<Order, string>> = { newest: "Newest first", oldest: "Oldest first", name: "By name" };

export interface Wanted {
  text: string;
  kind: Kind;
  order: Order;
}

export const EVERYTHING: Wanted = { text: "", kind: "all", order: "newest" };

/** Whether the answer depends on scenes that are not loaded yet. */
export const needsAll = ({ text, kind, order }: Wanted): boolean => text.trim() !== "" || kind !== "all" || order !== "newest";

/** Compares without case and accents: "cafe" finds "Café". */
const plain = (text: string): string => text.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase();

/** The scenes whose name has every word of the text, of that kind, in that order. projects: newest first. */
export function narrow(projects: readonly Project[], { text, kind, order }: Wanted): Project[] {
  const words = plain(text).split(/\s+/).filter((word) => word !== "");
  const found = projects.filter(({ name, state }) => (kind === "all" || KIND_OF[state] === kind) && words.every((word) => plain(name).includes(word)));
  if (order === "oldest") return found.toReversed();
  return order === "name" ? found.toSorted((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true })) : found;
}
