// What the account's tables show about jobs now and lately: under way, failed, seconds per stage.
// Reads only.
import type { FailedJob, StageTimes, UnderWay } from "../../shared/contracts/operations.ts";
import type { Project } from "../../shared/contracts/project.ts";
import { STAGES } from "../../shared/stages.ts";
import { parseJson } from "../schema.ts";
import { DAY_MS } from "./history.ts";

const UNDER_WAY_MAX = 20;
const FAILURES_MAX = 5;
/** Of the last 30 days, newest first. */
const STAGE_JOBS_MAX = 300;

/** Codes of failures that an operator can do something about, as `splat doctor` words it. Other codes are about the photos. */
const ADVICE: Readonly<Record<string, string>> = {
  OUT_OF_MEMORY: "Set `gpu` to a card with more memory, or use a smaller preset.",
  OUT_OF_DISK: "Raise `diskGb`, then run `splat up`.",
  TIME_LIMIT: "Raise `jobSecondsMax` and `executionTimeoutS`, or use a smaller preset.",
  DOWNLOAD_FAILED: "Run `splat doctor`: it uploads a photo to the bucket and reads it back.",
  UPLOAD_FAILED: "Run `splat doctor`: it uploads a photo to the bucket and reads it back.",
  LIMIT: "Raise the limit that the message names.",
  UPSTREAM: "Run `splat doctor`: it checks endpoint, workers and key.",
  INTERNAL: "Run `splat logs --job ID` to see what the worker printed.",
};

type SqlRow = Record<string, SqlStorageValue>;

export function underWay(sql: SqlStorage): UnderWay[] {
  const rows = sql.exec(
    `SELECT project.id, project.view, coalesce(waiting.since, job.started_at, project.version) AS since FROM project
     LEFT JOIN job ON job.project = project.id AND job.settled_at IS NULL LEFT JOIN waiting ON waiting.project = project.id
     WHERE project.state IN ('queued', 'running') GROUP BY project.id ORDER BY since LIMIT ?`,
    UNDER_WAY_MAX,
  );
  return [...rows].map((row) => {
    const { id, name, state, preset, photos, place, started_at } = viewOf(row);
    return { project_id: id, name, state, preset, photos: photos.count, place: place ?? null, since: started_at ?? iso(row["since"]) };
  });
}

export function failures(sql: SqlStorage): FailedJob[] {
  const rows = sql.exec("SELECT view, version FROM project WHERE state = 'failed' ORDER BY version DESC LIMIT ?", FAILURES_MAX);
  return [...rows].map((row) => {
    const { id, name, error, finished_at } = viewOf(row);
    return { project_id: id, name, at: finished_at ?? iso(row["version"]), error, advice: ADVICE[error?.code ?? ""]?.replace("ID", id) ?? null };
  });
}

export function stageTimes(sql: SqlStorage, now: number): StageTimes[] {
  const rows = sql.exec("SELECT stages FROM job WHERE outcome = 'done' AND gaussians IS NULL AND settled_at >= ? ORDER BY settled_at DESC LIMIT ?", now - 30 * DAY_MS, STAGE_JOBS_MAX);
  return summarise([...rows].map((row) => (parseJson(String(row["stages"])) ?? []) as { stage: string; seconds: number }[]));
}

/** jobs: the stages of each. In the order of a job; stages that no job had are absent. */
export function summarise(jobs: readonly (readonly { readonly stage: string; readonly seconds: number }[])[]): StageTimes[] {
  return STAGES.flatMap((stage) => {
    const seconds = jobs.flatMap((job) => job.filter((one) => one.stage === stage).map((one) => one.seconds)).sort((a, b) => a - b);
    return seconds.length === 0 ? [] : [{ stage, jobs: seconds.length, p50_s: percentile(seconds, 50), p95_s: percentile(seconds, 95) }];
  });
}

/** The nearest rank: a value that occurred. sorted: ascending, not empty. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? 0;
}

function viewOf(row: SqlRow): Project {
  return JSON.parse(String(row["view"])) as Project;
}

const iso = (ms: unknown): string => new Date(Number(ms)).toISOString();
