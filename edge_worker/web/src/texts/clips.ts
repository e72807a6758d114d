// Texts of clips, whose frames become photos: before the upload, during it, and in the report.
import { plural } from "../lib/format.ts";

export const CLIPS = {
  /** photos: without those of clips. */
  set: (photos: number, clips: number, frames: number): string => {
    const fromClips = `up to ${plural(frames, "frame")} of ${plural(clips, "clip")}`;
    if (clips === 0) return plural(photos, "photo");
    return photos === 0 ? fromClips.replace("up", "Up") : `${plural(photos, "photo")} and ${fromClips}`;
  },
  /** After a number: "3 of 8 photos uploaded". */
  uploaded: (photos: number, clips: number): string => {
    const all = [photos > 0 || clips === 0 ? plural(photos, "photo") : null, clips > 0 ? plural(clips, "clip") : null];
    return `of ${all.filter(Boolean).join(" and ")} uploaded`;
  },
  advice: "The sharpest frames from all sides are used. Walk around the whole subject, slowly, and keep it in the picture.",
  otherKind: "This is a video of another kind. Save it as MP4 or MOV.",
  damaged: "The clip is damaged or incomplete. Copy it again from the camera.",
  tooLarge: (size: string, max: string): string => `Too large: ${size}. The limit is ${max} per clip. Cut it, or film in 1080p.`,
  tooLong: (length: string, max: string): string => `Too long: ${length}. The limit is ${max} per clip. Cut it.`,
  length: (length: string, frames: number): string => `${length}, up to ${plural(frames, "frame")}`,
  failing: "The connection kept failing. Resume the upload to try again. It continues where it stopped.",
  title: "Frames from clips",
  used: (frames: number, length: string): string => `${plural(frames, "frame")} of ${length} used`,
  seconds: (list: string): string => `At ${list}`,
  dropped: (from: string, to: string, reason: string): string => `${from} to ${to}: ${reason}`,
} as const;

/** 75.5 as "1:15.5". */
export function clock(seconds: number): string {
  const tenths = Math.round(seconds * 10);
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}
