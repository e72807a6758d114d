// The words for a project in each of its states: one table for lists, pages and questions.
// Pure. `uploading`: this or another tab of the app uploads its photos now.
import type { Project } from "../../../shared/contracts/project.ts";
import { ACTIVE } from "../../../shared/stages.ts";
import { RUNNING } from "../texts/running.ts";
import { plural } from "../lib/format.ts";
import { wholeFraction } from "./progress.ts";

type Known = Pick<Project, "state" | "place" | "photos" | "started_at">;

/** A few words, for a list. */
export function stateWords({ state, place }: Pick<Known, "state" | "place">, uploading = false): string {
  if (uploading && (state === "new" || state === "uploading")) return "Uploading";
  switch (state) {
    case "new":
      return "No photos yet";
    case "uploading":
      return "Upload incomplete";
    case "ready":
      return "Ready to start";
    case "queued":
      return place === null ? "Waiting for a worker" : `Number ${place} in the queue`;
    case "running":
      return "In progress";
    case "done":
      return "Done";
    case "failed":
      return "Failed";
    case "cancelled":
      return "Cancelled";
  }
}

/** The name of the tab. unseen: the job ended while nobody looked. */
export function tabWords(project: Project, unseen: boolean): string {
  if (unseen) return project.state === "done" ? RUNNING.tabEnded(project.name) : RUNNING.tabFailed(project.name);
  if (project.state === "queued") return RUNNING.tabQueued(project.name);
  return project.state === "running" ? RUNNING.tabRunning(Math.floor(100 * wholeFraction(project)), project.name) : project.name;
}

/** The heading and the sentence of a job that waits. */
export function queueWords(place: number | null): { heading: string; sentence: string } {
  if (place === null) return { heading: "Waiting for a worker", sentence: "A worker is starting. The first one can take a few minutes." };
  const before = place === 1 ? "It is next." : `${plural(place - 1, "job")} in the queue ${place === 2 ? "is" : "are"} before it.`;
  return { heading: place === 1 ? "Next in the queue" : `Number ${place} in the queue`, sentence: `Other jobs are running. Yours starts by itself when it is its turn. ${before}` };
}

export interface Question {
  title: string;
  text: string;
  /** The labels of the two buttons: `keep` changes nothing. */
  action: string;
  keep: string;
}

export function cancelQuestion({ state, place }: Pick<Known, "state" | "place">): Question {
  const stays = "Your photos stay, so you can start again.";
  if (state === "running") {
    return { title: "Cancel this job?", text: `The worker stops, and so do the charges. Time already used is still charged. ${stays}`, action: "Cancel the job", keep: "Keep running" };
  }
  const text = place === null ? `No worker has started on it yet. ${stays}` : `The job leaves the queue and costs nothing. ${stays}`;
  return { title: "Cancel this job?", text, action: "Cancel the job", keep: "Keep waiting" };
}

export function deleteQuestion({ state, photos }: Known, name: string): Question {
  const parts = [photos.count > 0 ? plural(photos.count, "photo") : null, state === "done" ? "the scene with its downloads" : null].filter((part) => part !== null);
  const what = parts.length > 0 ? `This permanently deletes ${parts.join(" and ")}.` : "There are no photos in it yet.";
  const more = [state === "done" ? "Share links stop working." : null, ACTIVE.has(state) ? "Its job is cancelled." : null, parts.length > 0 ? "It cannot be undone." : null];
  return { title: `Delete “${name}”?`, text: [what, ...more.filter((part) => part !== null)].join(" "), action: parts.length > 0 ? "Delete permanently" : "Delete", keep: "Keep it" };
}
