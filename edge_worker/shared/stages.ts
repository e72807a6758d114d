// The stages of a job, the states of a project and the presets, in order.
// Names only; what each state allows is in src/project/job-state.ts.

export const STAGES = ["download", "photos", "sfm", "train", "export", "upload"] as const;
export type Stage = (typeof STAGES)[number];

export const STATES = ["new", "uploading", "ready", "queued", "running", "done", "failed", "cancelled"] as const;
export type State = (typeof STATES)[number];
/** A job is waiting or running. */
export const ACTIVE: ReadonlySet<State> = new Set<State>(["queued", "running"]);
/** The last attempt has ended. */
export const FINAL: ReadonlySet<State> = new Set<State>(["done", "failed", "cancelled"]);

export const PRESETS = ["preview", "standard", "high"] as const;
export type Preset = (typeof PRESETS)[number];
