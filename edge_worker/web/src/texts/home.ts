// Texts of the list of scenes, where several are deleted together.
import { plural } from "../lib/format.ts";

export const BULK = {
  select: "Select",
  done: "Done",
  all: "Select all shown",
  selected: (count: number): string => `${plural(count, "scene")} selected`,
  delete: "Delete",
  title: (count: number): string => `Delete ${plural(count, "scene")}?`,
  text: (photos: number, done: number, active: number): string =>
    [
      `This permanently deletes ${[plural(photos, "photo"), ...(done > 0 ? [`${plural(done, "finished scene")} with ${done === 1 ? "its" : "their"} downloads`] : [])].join(" and ")}.`,
      ...(done > 0 ? ["Share links stop working."] : []),
      ...(active > 0 ? [`${plural(active, "job")} ${active === 1 ? "is" : "are"} cancelled.`] : []),
      "It cannot be undone.",
    ].join(" "),
  action: "Delete permanently",
  keep: "Keep them",
  failed: (count: number, reason: string): string => `${plural(count, "scene")} could not be deleted. ${reason}`,
  pick: (name: string): string => `Select ${name}`,
} as const;

export const HOME = {
  drop: "Drop your photos here",
  takes: (min: number, max: number): string => `${min} to ${max} photos or a folder, as JPEG, PNG, WebP, HEIC or AVIF, or a clip as MP4 or MOV`,
} as const;
