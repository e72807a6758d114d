// Texts of the photos of a scene after their upload.
import { plural } from "../lib/format.ts";

export const PHOTOS = {
  title: "Photos",
  count: (all: number, leftOut: number): string => (leftOut === 0 ? plural(all, "photo") : `${plural(all, "photo")}, ${leftOut} left out`),
  leftOutFirst: "Photos that were left out come first, each with its reason.",
  save: (name: string): string => `Download ${name}`,
  saveAll: (size: string): string => `Download all photos (${size})`,
  notUploaded: "Not uploaded",
  remove: "Remove",
  showAll: (all: number): string => `Show all ${plural(all, "photo")}`,
  add: "Add photos",
  addTitle: "Add photos",
  addLead: (there: number): string => `The scene has ${plural(there, "photo")}. Add photos of the sides that it lacks, then make it again.`,
  known: (count: number): string => `${plural(count, "photo")} ${count === 1 ? "is" : "are"} part of the scene already.`,
  tooMany: (max: number): string => `A scene takes at most ${plural(max, "photo")}. Remove some.`,
  checking: "Checking photos…",
  chosen: (count: number): string => `${plural(count, "new photo")} chosen.`,
  makeAgain: "Upload and make the scene again",
  replaces: "The new scene is shown in place of this one, also behind share links. This one stays under Versions.",
  cancel: "Cancel",
} as const;
