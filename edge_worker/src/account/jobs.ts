// One row of the account's books as the API shows it. Pure mapping.
// The books outlive the project; name, state and error are from the project's newest view, if it is still there.
import type { ListedJob } from "../../shared/contracts/api.ts";
import type { Project } from "../../shared/contracts/project.ts";
import type { Preset } from "../../shared/stages.ts";
import { parseJson } from "../schema.ts";

/** Where an attempt is in the list: newest first. */
export interface JobPlace {
  /** ms since 1970. */
  readonly submittedAt: number;
  readonly projectId: string;
  readonly attempt: number;
}

const iso = (ms: unknown): string => new Date(Number(ms)).toISOString();

/** row: the columns of `job`, and `view` of its project. */
export function readJob(row: Readonly<Record<string, SqlStorageValue>>): ListedJob {
  const view = typeof row["view"] === "string" ? (parseJson(row["view"]) as Project) : null;
  const attempt = Number(row["attempt"]);
  const current = view?.attempt === attempt ? view : null;
  const outcome = row["outcome"] as "done" | "failed" | "cancelled" | null;
  return {
    project_id: String(row["project"]),
    name: view?.name ?? null,
    attempt,
    preset: row["preset"] as Preset,
    photos: Number(row["photos"]),
    edit: typeof row["gaussians"] === "number",
    state: outcome ?? current?.state ?? null,
    submitted_at: iso(row["started_at"]),
    started_at: current?.started_at ?? null,
    ended_at: row["settled_at"] === null ? null : iso(row["settled_at"]),
    usd: Number(row["usd"]),
    seconds: row["seconds"] === null ? null : Number(row["seconds"]),
    stages: typeof row["stages"] === "string" ? (parseJson(row["stages"]) as ListedJob["stages"]) : [],
    error: current?.error ?? null,
  };
}
