// Texts of a finished scene: title, cameras, numbers, versions.
import { plural } from "../lib/format.ts";

export const SCENE = {
  quality: (label: string): string => `${label} quality`,
  fromAbove: "The cameras, seen from above. Select one to see the scene from there.",
  viewFrom: (photo: string): string => `View from ${photo}`,
  noFile: "The scene's file is missing.",
  noFileHint: "Make the scene again, or contact whoever runs this service.",
  better: "Quality",
  madeIn: (label: string): string => `Made in ${label} quality.`,
  betterLead: "Your photos are still here, so you can make it again at another quality.",
  again: "Make it again",
} as const;

/** The numbers of a report. */
export const NUMBERS = {
  none: "This scene has no report.",
  title: "Numbers",
  psnr: "PSNR",
  ssim: "SSIM",
  gaussians: "Gaussians",
  size: "Size",
  wide: (length: string): string => `about ${length} wide`,
  high: (length: string): string => `${length} high`,
  price: "Price",
  estimate: "estimate",
  rate: (time: string, gpu: string, perHour: string, asOf: string): string => `${time} of ${gpu} at $${perHour} per hour (price as of ${asOf}).`,
  photosUsed: "Photos used",
  of: (given: number): string => `of ${given}`,
  photosExplained: "A photo is used if its camera pose could be found from what it shares with other photos.",
  notUsed: (photos: number): string => `${plural(photos, "photo")} not used`,
  took: (time: string, device: string): string => `Took ${time} on ${device}`,
} as const;

/** The scenes that a project has made: which one is shown, and the files of each. */
export const VERSIONS = {
  title: "Versions",
  lead: "Every scene that was made stays here with its files. Share links show the one you choose.",
  name: (number: number): string => `Version ${number}`,
  editOf: (number: number): string => `Edit of version ${number}`,
  quality: (label: string): string => `${label} quality`,
  gaussians: (count: string): string => `${count} Gaussians`,
  psnr: (db: string): string => `${db} dB`,
  compare: "Compare",
  compareWith: (number: number): string => ` with version ${number}`,
  comparing: (left: number, right: number): string => `Version ${left} and version ${right}`,
  compareLead: "Move the border. Both versions are seen by one camera.",
  border: "Border between the versions",
  borderAt: (percent: number): string => `${percent} %`,
  endCompare: "End the comparison",
  shown: "Shown",
  show: "Show",
  showNumber: (number: number): string => ` version ${number}`,
  files: (number: number): string => `Files of version ${number}`,
  lastFailed: (reason: string): string => `The last try failed. ${reason}`,
  measuredBefore: "Quality was measured before the edit.",
} as const;
