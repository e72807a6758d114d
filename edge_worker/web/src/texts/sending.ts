// Texts of an upload in progress.
import { plural } from "../lib/format.ts";

export const SENDING = {
  back: "Back to the scene",
} as const;

/** A set that is ready, and a scene that is renamed, deleted or made again. */
export const MANAGE = {
  rename: "Rename",
  renameTitle: "Rename the scene",
  delete: "Delete",
  cancel: "Cancel",
  again: "Make it again",
  start: "Make the scene",
  before: "The scene that was made before is still here.",
  showBefore: "Show the scene before",
  againDone: "The new scene uses the same photos and is shown in place of this one, also behind share links. This one stays under Versions.",
  photosStay: "Your photos are still here, so nothing has to be uploaded again.",
  ready: (photos: number): string => `${plural(photos, "photo")} ready`,
  readyLead: (size: string): string => `${size} uploaded. Choose a quality to start.`,
} as const;
