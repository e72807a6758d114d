// The five steps people see, made from a project's state and progress; time left and cost so far.
// Pure: the clock is an argument.
import type { Report } from "../../../shared/contracts/job-report.ts";
import type { Project } from "../../../shared/contracts/project.ts";
import { ACTIVE, FINAL, type State } from "../../../shared/stages.ts";

export type StepState = "done" | "now" | "ahead" | "stopped";

export interface Step {
  label: string;
  state: StepState;
  /** 0 to 1, only for the step that is going on. */
  fraction: number | null;
}

/** The worker's stages behind each step; the first step happens on this page. */
const STEPS: readonly { label: string; stages: readonly string[] }[] = [
  { label: "Upload", stages: [] },
  { label: "Photos", stages: ["download", "photos"] },
  { label: "Camera poses", stages: ["sfm"] },
  { label: "Training", stages: ["train"] },
  { label: "Export", stages: ["export", "upload"] },
];

const STOPPED: readonly State[] = ["failed", "cancelled"];

export const isFinal = (state: State): boolean => FINAL.has(state);
export const isWorking = (state: State): boolean => ACTIVE.has(state);

/** The step a worker stage belongs to; an unknown stage counts as the first one of the worker. */
function stepOf(stage: string | null | undefined): number {
  const index = STEPS.findIndex((step) => stage !== null && stage !== undefined && step.stages.includes(stage));
  return index === -1 ? 1 : index;
}

export function steps(project: Project, uploadFraction: number | null = null): Step[] {
  if (project.state === "done") return STEPS.map(({ label }) => ({ label, state: "done", fraction: null }));
  const uploading = project.state === "new" || project.state === "uploading" || project.state === "ready";
  if (uploading) {
    const whole = project.state === "ready";
    return STEPS.map(({ label }, i) =>
      i > 0 ? { label, state: "ahead", fraction: null } : { label, state: whole ? "done" : "now", fraction: whole ? null : uploadFraction },
    );
  }
  const stopped = STOPPED.includes(project.state);
  const stage = stopped ? (project.error?.stage ?? project.progress?.stage) : project.progress?.stage;
  const current = project.state === "queued" ? 1 : stepOf(stage);
  return STEPS.map(({ label }, i) => {
    if (i < current) return { label, state: "done", fraction: null };
    if (i > current) return { label, state: "ahead", fraction: null };
    if (stopped) return { label, state: "stopped", fraction: null };
    return { label, state: "now", fraction: project.state === "queued" ? null : stepFraction(project) };
  });
}

/** Within one step of two stages, the second stage starts at the half. */
function stepFraction(project: Project): number | null {
  const { progress } = project;
  if (!progress) return null;
  const stages = STEPS[stepOf(progress.stage)]?.stages ?? [];
  const index = Math.max(0, stages.indexOf(progress.stage));
  const fraction = Math.min(1, Math.max(0, progress.fraction));
  return (index + fraction) / Math.max(1, stages.length);
}

/** Seconds until the scene, counted down from the last message; null while nobody knows. */
export function secondsLeft(project: Project, nowMs: number): number | null {
  const eta = project.progress?.eta_s;
  if (project.state !== "running" || eta === null || eta === undefined) return null;
  const sinceS = project.progress?.at ? (nowMs - Date.parse(project.progress.at)) / 1000 : 0;
  return Math.max(0, eta - Math.max(0, sinceS));
}

/** A progress message without a forecast keeps the one before it, as long as the attempt is the same. */
export function keepForecast(before: Project | null, now: Project): Project {
  const { progress } = now;
  const old = before?.progress;
  if (!progress || typeof progress.eta_s === "number" || typeof old?.eta_s !== "number" || before?.attempt !== now.attempt) return now;
  const sinceS = progress.at && old.at ? (Date.parse(progress.at) - Date.parse(old.at)) / 1000 : 0;
  return { ...now, progress: { ...progress, eta_s: Math.max(0, old.eta_s - sinceS) } };
}

/** USD from the start of the attempt until now; null before it starts. */
export function costSoFar(project: Project, usdPerS: number, nowMs: number): number | null {
  if (!project.started_at) return null;
  const end = project.finished_at ? Date.parse(project.finished_at) : nowMs;
  return (Math.max(0, end - Date.parse(project.started_at)) / 1000) * usdPerS;
}

const STAGE_WORDS: Record<string, string> = {
  download: "Fetch photos",
  photos: "Check photos",
  sfm: "Camera poses",
  train: "Training",
  export: "Export",
  upload: "Store",
};

export interface StageShare {
  stage: string;
  label: string;
  seconds: number;
  /** Of all seconds, 0 to 1. */
  share: number;
}

export function stageShares(report: Report): StageShare[] {
  const total = report.stages.reduce((sum, { seconds }) => sum + seconds, 0);
  return report.stages.map(({ stage, seconds }) => ({
    stage,
    label: STAGE_WORDS[stage] ?? stage,
    seconds,
    share: total > 0 ? seconds / total : 0,
  }));
}

const STATE_WORDS: Record<State, string> = {
  new: "No photos yet",
  uploading: "Upload not finished",
  ready: "Ready to start",
  queued: "Waiting for a machine",
  running: "In the making",
  done: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
};

export const stateWords = (state: State): string => STATE_WORDS[state];
