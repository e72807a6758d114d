// A project's row as the API shows it, complete for members, reduced for share links.
// Pure mapping; internal ids, nonces, secrets and prices of other jobs are left out.
import type { Edit } from "../../shared/contracts/edit.ts";
import { OUTPUT_NAMES, isOutputName } from "../../shared/contracts/job-input.ts";
import type { Report } from "../../shared/contracts/job-report.ts";
import type { Project, Result, SharedProject } from "../../shared/contracts/project.ts";
import type { State } from "../../shared/stages.ts";
import type { EditState } from "./edit-book.ts";
import type { Job } from "./job/state.ts";
import type { ProjectRow } from "./store.ts";

const iso = (ms: number): string => new Date(ms).toISOString();

/** The attempt whose scene is shown: the chosen one, else the newest; null: none has made a scene. results: oldest first. */
export function shownJob({ chosen }: Pick<ProjectRow, "chosen">, results: readonly Job[]): Job | null {
  return results.find(({ attempt }) => attempt === chosen) ?? results.at(-1) ?? null;
}

/** Where the newest attempt gave up, the scene before is still there: after an edit that failed, or once somebody chose it. */
function stateOf({ job, chosen }: ProjectRow, shown: Job | null): State {
  const gaveUp = job.state === "failed" || job.state === "cancelled";
  return gaveUp && shown !== null && ((job.edit ?? null) !== null || chosen !== null) ? "done" : job.state;
}

interface Shown extends EditState {
  readonly results: readonly Job[];
}

export function viewProject(row: ProjectRow, photos: { readonly count: number; readonly bytes: number }, { edit, undo, results }: Shown): Project {
  const { job } = row;
  const base = `/api/projects/${row.id}`;
  const shown = shownJob(row, results);
  const report = shown?.report ?? null;
  return {
    id: row.id,
    name: row.name,
    state: stateOf(row, shown),
    created_at: iso(row.created_at),
    updated_at: iso(row.updated_at),
    photos: { count: photos.count, bytes: photos.bytes },
    preset: job.preset,
    attempt: job.attempt,
    place: job.place ?? null,
    started_at: job.startedAt === null ? null : iso(job.startedAt),
    finished_at: job.finishedAt === null ? null : iso(job.finishedAt),
    progress: job.progress,
    notice: job.notice === null ? null : { ...job.notice, until: job.notice.until === null ? null : iso(job.notice.until) },
    error: job.error,
    shown: shown?.attempt ?? null,
    editing: (job.edit ?? null) === null ? null : { base: job.edit?.base ?? 0 },
    results: results.map((one) => viewResult(one, `${base}/artifacts`)),
    report,
    artifacts: listArtifacts(report, `${base}/artifacts`),
    edit,
    edits: undo,
    cover: coverAt(base, shown?.attempt ?? 0, edit, report),
  };
}

function viewResult({ attempt, edit, preset, finishedAt, report }: Job, base: string): Result {
  return {
    attempt,
    base: edit?.base ?? null,
    preset,
    finished_at: finishedAt === null ? null : iso(finishedAt),
    gaussians: report?.metrics.gaussians ?? 0,
    psnr_db: report?.metrics.psnr_db ?? null,
    artifacts: listArtifacts(report, base, `?attempt=${attempt}`),
  };
}

/** token: the share's own, so that its addresses work for its holder. */
export function viewShared(view: Project, token: string): SharedProject {
  return {
    id: view.id,
    name: view.name,
    // While another attempt is under way, the link shows the scene before.
    state: view.shown === null ? view.state : "done",
    created_at: view.created_at,
    photos: view.photos,
    shown: view.shown,
    report: view.report,
    artifacts: listArtifacts(view.report, `/api/shared/${token}/artifacts`),
    edit: view.edit ?? null,
    cover: coverAt(`/api/shared/${token}`, view.shown ?? 0, view.edit ?? null, view.report),
  };
}

/** The number in the address changes with the picture, so that caches hold it. */
function coverAt(base: string, attempt: number, edit: Edit | null, report: Report | null): Project["cover"] {
  const chosen = edit?.cover ?? null;
  if (chosen === null && report?.artifacts["poster.webp"] === undefined) return null;
  const url = `${base}/cover?v=${attempt}.${chosen ?? 0}`;
  return { url, thumbnail_url: `${url}&size=small` };
}

function listArtifacts(report: Report | null, base: string, query = ""): Project["artifacts"] {
  const artifacts: Project["artifacts"] = {};
  for (const name of OUTPUT_NAMES) {
    const entry = report?.artifacts[name];
    if (entry !== undefined) artifacts[name] = { bytes: entry.bytes, sha256: entry.sha256, url: `${base}/${name}${query}` };
  }
  return artifacts;
}

/** The attempt whose file of this name may be read now, or null. asked: that attempt; null: the scene that is shown, or the running one's preview. */
export function attemptWith(view: Project, name: string, asked: number | null): number | null {
  if (!isOutputName(name)) return null;
  if (asked === null && name === "preview.sog" && view.progress?.preview?.artifact === name) return view.attempt;
  const result = view.results.find(({ attempt }) => attempt === (asked ?? view.shown));
  return result !== undefined && (name === "report.json" || result.artifacts[name] !== undefined) ? result.attempt : null;
}
