// A project's row as the API shows it, complete for members, reduced for share links.
// Pure mapping; internal ids, nonces, secrets and prices of other jobs are left out.
import type { Edit } from "../../shared/contracts/edit.ts";
import { OUTPUT_NAMES, isOutputName } from "../../shared/contracts/job-input.ts";
import type { Report } from "../../shared/contracts/job-report.ts";
import type { Project, SharedProject } from "../../shared/contracts/project.ts";
import type { EditState } from "./edit-book.ts";
import type { ProjectRow } from "./store.ts";

const iso = (ms: number): string => new Date(ms).toISOString();

export function viewProject(row: ProjectRow, photos: { readonly count: number; readonly bytes: number }, { edit, undo }: EditState): Project {
  const { job } = row;
  const base = `/api/projects/${row.id}`;
  return {
    id: row.id,
    name: row.name,
    state: job.state,
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
    report: job.report,
    artifacts: listArtifacts(job.report, `${base}/artifacts`),
    edit,
    edits: undo,
    cover: coverAt(base, job.attempt, edit, job.report),
  };
}

/** token: the share's own, so that its addresses work for its holder. */
export function viewShared(view: Project, token: string): SharedProject {
  return {
    id: view.id,
    name: view.name,
    state: view.state,
    created_at: view.created_at,
    photos: view.photos,
    report: view.report,
    artifacts: listArtifacts(view.report, `/api/shared/${token}/artifacts`),
    edit: view.edit ?? null,
    cover: coverAt(`/api/shared/${token}`, view.attempt, view.edit ?? null, view.report),
  };
}

/** The number in the address changes with the picture, so that caches hold it. */
function coverAt(base: string, attempt: number, edit: Edit | null, report: Report | null): Project["cover"] {
  const chosen = edit?.cover ?? null;
  if (chosen === null && report?.artifacts["poster.webp"] === undefined) return null;
  const url = `${base}/cover?v=${attempt}.${chosen ?? 0}`;
  return { url, thumbnail_url: `${url}&size=small` };
}

function listArtifacts(report: Report | null, base: string): Project["artifacts"] {
  const artifacts: Project["artifacts"] = {};
  for (const name of OUTPUT_NAMES) {
    const entry = report?.artifacts[name];
    if (entry !== undefined) artifacts[name] = { bytes: entry.bytes, sha256: entry.sha256, url: `${base}/${name}` };
  }
  return artifacts;
}

/** Artifacts that may be read now: those of the report, and the running attempt's preview. */
export function isReadable(view: Project, name: string): boolean {
  if (!isOutputName(name)) return false;
  if (view.artifacts[name] !== undefined || (name === "report.json" && view.report !== null)) return true;
  return name === "preview.sog" && view.progress?.preview?.artifact === name;
}
