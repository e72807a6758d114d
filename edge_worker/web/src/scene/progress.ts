// The six steps that the app shows, time left and cost so far, from a project's state and progress.
// Pure: the clock is an argument.
import type { Report } from "../../../shared/contracts/job-report.ts";
import type { Project } from "../../../shared/contracts/project.ts";

export type StepState = "done" | "now" | "ahead" | "stopped";

export interface Step {
  label: string;
  state: StepState;
  /** 0 to 1, only for the step in progress. */
  fraction: number | null;
}

const QUEUE = 1;
const FIRST_OF_WORKER = 2;

/** The worker's stages in each step. The first two happen in the app and in the queues before a worker. */
const STEPS: readonly { label: string; stages: readonly string[] }[] = [
  { label: "Upload", stages: [] },
  { label: "Queue", stages: [] },
  { label: "Photos", stages: ["download", "photos"] },
  { label: "Camera poses", stages: ["sfm"] },
  { label: "Training", stages: ["train"] },
  { label: "Export", stages: ["export", "upload"] },
];

/** The step of a worker's stage. An unknown stage counts as the worker's first one. */
function stepOf(stage: string | undefined): number {
  const index = STEPS.findIndex(({ stages }) => stage !== undefined && stages.includes(stage));
  return index === -1 ? FIRST_OF_WORKER : index;
}

export function steps(project: Project, uploadFraction: number | null = null): Step[] {
  const { index, state, fraction } = currentStep(project, uploadFraction);
  return STEPS.map(({ label }, i) => ({
    label,
    state: i < index ? "done" : i > index ? "ahead" : state,
    fraction: i === index ? fraction : null,
  }));
}

function currentStep(project: Project, uploadFraction: number | null): { index: number; state: StepState; fraction: number | null } {
  switch (project.state) {
    case "new":
    case "uploading":
      return { index: 0, state: "now", fraction: uploadFraction };
    case "ready":
      return { index: 0, state: "done", fraction: null };
    case "queued":
      return { index: QUEUE, state: "now", fraction: null };
    case "running":
      return { index: stepOf(project.progress?.stage), state: "now", fraction: stepFraction(project) };
    case "failed":
    case "cancelled":
      return { index: project.started_at === null && !project.error?.stage ? QUEUE : stepOf(project.error?.stage ?? project.progress?.stage), state: "stopped", fraction: null };
    case "done":
      return { index: STEPS.length, state: "done", fraction: null };
  }
}

/** In a step with two stages, the second one starts at 0.5. */
function stepFraction(project: Project): number | null {
  const { progress } = project;
  if (!progress) return null;
  const stages = STEPS[stepOf(progress.stage)]?.stages ?? [];
  const index = Math.max(0, stages.indexOf(progress.stage));
  const fraction = Math.min(1, Math.max(0, progress.fraction));
  return (index + fraction) / Math.max(1, stages.length);
}

/** The worker's stages of an edit, with their usual share of its time. */
const EDIT_SHARES: readonly (readonly [string, number])[] = [
  ["download", 0.15],
  ["export", 0.75],
  ["upload", 0.1],
];

/** How far an edit is applied, 0 to 1; null while it waits for a worker. */
export function editFraction({ progress }: Pick<Project, "progress">): number | null {
  const index = EDIT_SHARES.findIndex(([stage]) => stage === progress?.stage);
  if (!progress || index === -1) return null;
  const before = EDIT_SHARES.slice(0, index).reduce((sum, [, share]) => sum + share, 0);
  return before + (EDIT_SHARES[index]?.[1] ?? 0) * Math.min(1, Math.max(0, progress.fraction));
}

/** How far the worker is, 0 to 1: each of its steps counts the same. */
export function wholeFraction(project: Project): number {
  if (project.editing !== null) return editFraction(project) ?? 0;
  const all = STEPS.length - FIRST_OF_WORKER;
  return (stepOf(project.progress?.stage) - FIRST_OF_WORKER + (stepFraction(project) ?? 0)) / all;
}

/** Seconds until the scene is done, counted down from the last message. Null while unknown. */
export function secondsLeft(project: Project, nowMs: number): number | null {
  const { state, progress } = project;
  if (state !== "running" || !progress || progress.eta_s === null) return null;
  const sinceS = (nowMs - Date.parse(progress.at)) / 1000;
  return Math.max(0, progress.eta_s - Math.max(0, sinceS));
}

/** Keeps the last forecast of an attempt when a newer message has none. */
export function keepForecast(before: Project | null, now: Project): Project {
  const { progress } = now;
  const old = before?.progress;
  if (!progress || progress.eta_s !== null || !old || old.eta_s === null || before?.attempt !== now.attempt) return now;
  const sinceS = (Date.parse(progress.at) - Date.parse(old.at)) / 1000;
  return { ...now, progress: { ...progress, eta_s: Math.max(0, old.eta_s - sinceS) } };
}

/** USD since the start of the attempt. Null before it starts. */
export function costSoFar(project: Project, usdPerS: number, nowMs: number): number | null {
  if (!project.started_at) return null;
  const end = project.finished_at ? Date.parse(project.finished_at) : nowMs;
  return (Math.max(0, end - Date.parse(project.started_at)) / 1000) * usdPerS;
}

export const STAGE_WORDS: Record<string, string> = {
  download: "Download photos",
  photos: "Check photos",
  sfm: "Camera poses",
  train: "Training",
  export: "Export",
  upload: "Upload scene",
};

export interface StageShare {
  stage: string;
  label: string;
  seconds: number;
  /** Share of the total, 0 to 1. */
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
