// Texts of a queued or running job.
import { plural } from "../lib/format.ts";

export const RUNNING = {
  around: (photos: number): string => `${plural(photos, "photo")} around the subject`,
  found: (cameras: number, photos: number): string => `${cameras} of ${plural(photos, "camera")} found so far, seen from above`,
  ahead: [
    { label: "Photos", words: "Each photo is checked for blur, size and duplicates." },
    { label: "Camera poses", words: "What the photos share shows where each one was taken." },
    { label: "Training", words: "The scene takes shape. A preview appears here and gets sharper." },
    { label: "Export", words: "The scene is written for the web, for viewers and for editors." },
  ],
  cancel: "Cancel the job",
  tabQueued: (name: string): string => `Waiting · ${name}`,
  tabRunning: (percent: number, name: string): string => `${percent} % · ${name}`,
  tabEnded: (name: string): string => `✓ ${name}`,
  tabFailed: (name: string): string => `✗ ${name}`,
  making: "Making your scene",
  almost: "Almost done",
  left: "left",
  inProgress: (step: string): string => `${step} in progress`,
  accepted: "A worker has accepted the job.",
  soFar: (time: string): string => `${time} so far`,
  terms: (photos: number, gpu: string, perHour: string): string => `${plural(photos, "photo")}, ${gpu} at ${perHour} per hour. You can close this page. The job continues, and your scene will be here.`,
  preview: "Preview of the scene",
  previewLead: "A preview of your scene. It gets sharper as training continues.",
} as const;

/** Messages to this browser at the end of a job. */
export const NOTIFY = {
  ask: "Notify me when it is done",
  asked: "This browser will notify you when the job has ended.",
  blocked: "This browser does not allow notifications from this app.",
  blockedHint: "Allow them in the browser's settings for this site, or keep this page open.",
  unreachable: "This browser could not reach its notification service.",
  unreachableHint: "Check your connection, then try again, or keep this page open.",
} as const;
