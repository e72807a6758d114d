// The list of scenes, refreshed while older pages are shown.
import { describe, expect, it } from "vitest";

import type { Project } from "../../../shared/contracts/project.ts";
import { EVERYTHING, narrow, needsAll, append, refresh, type Pages } from "../../src/views/home/scene-list.ts";

/** Scenes by number: a higher one is newer. */
const scene = (n: number): Project => ({
  id: `p_${n}`,
  name: `scene ${n}`,
  state: "done",
  created_at: new Date(Date.UTC(2026, 0, n)).toISOString(),
  updated_at: new Date(Date.UTC(2026, 0, n)).toISOString(),
  photos: { count: 0, bytes: 0 },
  preset: null, place: null,
  attempt: 0,
  started_at: null,
  finished_at: null,
  progress: null,
  error: null,
  shown: null,
  editing: null,
  results: [],
  report: null,
  artifacts: {},
  edit: null,
  edits: 0,
  cover: null,
});
const page = (numbers: number[], cursor: string | null = null): Pages => ({ projects: numbers.map(scene), cursor });
const numbers = ({ projects }: Pages): number[] => projects.map(({ id }) => Number(id.slice(2)));

describe("refresh", () => {
  it("puts a new scene on top and keeps the older pages and their cursor", () => {
    const pages = refresh(page([10, 9, 8], "a"), page([9, 8, 7, 6, 5], "b"));
    expect(numbers(pages)).toEqual([10, 9, 8, 7, 6, 5]);
    expect(pages.cursor).toBe("b");
  });

  it("drops a deleted scene, even when an older one moves up", () => {
    expect(numbers(refresh(page([9, 7, 6]), page([9, 8, 7, 6, 5])))).toEqual([9, 7, 6, 5]);
  });

  it("uses the first page alone if there are no older pages", () => {
    expect(numbers(refresh(page([2, 1]), null))).toEqual([2, 1]);
    expect(numbers(refresh(page([]), page([])))).toEqual([]);
  });
});

describe("append", () => {
  it("adds older scenes once", () => {
    const pages = append(page([7, 6], "c"), page([9, 8, 7], "b"));
    expect(numbers(pages)).toEqual([9, 8, 7, 6]);
    expect(pages.cursor).toBe("c");
  });
});

describe("narrow", () => {
  const named = (name: string, state: Project["state"] = "done"): Project => ({ ...scene(1), name, state });
  const all = [named("Café table 10"), named("Cafe table 9", "running"), named("Garden wall", "failed"), named("Teapot", "uploading")];
  const names = (wanted: Partial<typeof EVERYTHING>): string[] => narrow(all, { ...EVERYTHING, ...wanted }).map(({ name }) => name);

  it("finds every word of the text, without case and accents", () => {
    expect(names({ text: "TABLE cafe" })).toEqual(["Café table 10", "Cafe table 9"]);
    expect(names({ text: "cafe wall" })).toEqual([]);
  });

  it("shows one kind", () => {
    expect([names({ kind: "active" }), names({ kind: "unfinished" }), names({ kind: "failed" }), names({ kind: "done" })]).toEqual([["Cafe table 9"], ["Teapot"], ["Garden wall"], ["Café table 10"]]);
  });

  it("sorts by name with numbers as numbers, or by age", () => {
    expect(names({ order: "name" })).toEqual(["Cafe table 9", "Café table 10", "Garden wall", "Teapot"]);
    expect(names({ order: "oldest" })[0]).toBe("Teapot");
  });

  it("needs all scenes for everything but the newest first", () => {
    expect([needsAll(EVERYTHING), needsAll({ ...EVERYTHING, text: " " }), needsAll({ ...EVERYTHING, text: "a" }), needsAll({ ...EVERYTHING, order: "name" })]).toEqual([false, false, true, true]);
  });
});
