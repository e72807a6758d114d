// Which of the chosen files are usable, why others are not, and what the set still needs.
// Pure: facts in, verdicts out. The limits come from the server.
import { INVISIBLE, type PhotoLimits } from "../../../shared/limits.ts";
import { framesWanted, isVideo, VIDEO_BYTES_MAX, VIDEO_SECONDS_MAX, type SourceType } from "../../../shared/photo-types.ts";
import { bytes as sizeWords, duration, plural } from "../lib/format.ts";
import { CLIPS } from "../texts/clips.ts";
import { isBlurred, softPhotos } from "./sharpness.ts";

/** What is known of one chosen file. */
export interface Facts {
  name: string;
  bytes: number;
  type: SourceType | null;
  /** Null until computed. */
  sha256: string | null;
  sharpness: number | null;
  /** False when the browser supports the type but could not decode the file. */
  opens: boolean;
  /** The length of a clip; null for a photo, and for a damaged clip. */
  seconds: number | null;
}

/** How many photos a file counts for: a clip for its frames, at most so many. */
export const framesOf = ({ seconds }: Pick<Facts, "seconds">): number => (seconds === null ? 1 : framesWanted(seconds));

/** How many photos these files count for. Frames fill what photos leave of the limit. */
export function photosIn(files: readonly Pick<Facts, "seconds">[], limits: PhotoLimits): number {
  return Math.min(limits.photos_max, files.reduce((sum, file) => sum + framesOf(file), 0));
}

export type Verdict = { use: true; hint: string | null } | { use: false; reason: string };

/** Fewer photos than this often leave holes. */
const COMFORTABLE = 20;

const VIDEO = /\.(mp4|mov|m4v|avi|mkv|webm|mts|3gp)$/i;

const BLURRED = "Blurred. Retake it if you can.";

export function judge(files: readonly Facts[], limits: PhotoLimits): Verdict[] {
  const seen = new Map<string, string>();
  const soft = softPhotos(files.map(({ sharpness }) => sharpness));
  let used = 0;
  return files.map((file, i) => {
    const reason = rejection(file, limits, seen, used);
    if (reason !== null) return { use: false, reason };
    used += framesOf(file);
    if (file.sha256 !== null) seen.set(file.sha256, file.name);
    if (file.seconds !== null) return { use: true, hint: CLIPS.length(duration(file.seconds), framesOf(file)) };
    return { use: true, hint: isBlurred(file.sharpness) ? BLURRED : soft.has(i) ? "Blurrier than the others. Retake it if you can." : null };
  });
}

function rejection(file: Facts, limits: PhotoLimits, seen: ReadonlyMap<string, string>, used: number): string | null {
  if (file.type === null && VIDEO.test(file.name)) return CLIPS.otherKind;
  if (file.type === null) return "Not a supported photo. Use JPEG, PNG, WebP, HEIC or AVIF, or an MP4 or MOV clip.";
  if (isVideo(file.type)) return clipRejection(file, limits, used);
  if (file.bytes > limits.photo_bytes_max) {
    return `Too large: ${sizeWords(file.bytes)}. The limit is ${sizeWords(limits.photo_bytes_max)} per photo.`;
  }
  if (!file.opens) return "The file is damaged and cannot be opened.";
  const original = file.sha256 === null ? undefined : seen.get(file.sha256);
  if (original !== undefined) return `Duplicate of ${original}.`;
  if (used >= limits.photos_max) return `Over the limit of ${limits.photos_max} photos.`;
  return null;
}

function clipRejection({ seconds, bytes }: Facts, limits: PhotoLimits, used: number): string | null {
  if (seconds === null) return CLIPS.damaged;
  if (bytes > VIDEO_BYTES_MAX) return CLIPS.tooLarge(sizeWords(bytes), sizeWords(VIDEO_BYTES_MAX));
  if (seconds > VIDEO_SECONDS_MAX) return CLIPS.tooLong(duration(seconds), duration(VIDEO_SECONDS_MAX));
  return used >= limits.photos_max ? `Over the limit of ${limits.photos_max} photos.` : null;
}

/** Why a file of a folder is not even examined, or null. Every folder of a Mac or a camera has some of these. */
export function leftOut(name: string, bytes: number): string | null {
  if (name.startsWith(".")) return "Hidden file";
  return bytes === 0 ? "Empty file" : null;
}

export interface SetAdvice {
  enough: boolean;
  words: string;
}

/** Advice on a set of `used` photos, `blurred` of which are blurred. ofClips: all are frames of clips. */
export function advise(used: number, limits: PhotoLimits, blurred = 0, ofClips = false): SetAdvice {
  if (used < limits.photos_min) {
    const missing = limits.photos_min - used;
    return { enough: false, words: `Add ${plural(missing, "more photo")}. A scene needs at least ${limits.photos_min}.` };
  }
  if (ofClips) return { enough: true, words: CLIPS.advice };
  if (blurred > used / 2) {
    return { enough: true, words: `${blurred} of ${plural(used, "photo")} are blurred. A scene of them is likely to fail. Retake them in more light, and hold the camera still.` };
  }
  if (used < COMFORTABLE) {
    return { enough: true, words: `Enough to start. With ${COMFORTABLE} or more, from all sides, the scene has fewer holes.` };
  }
  return { enough: true, words: "A good number of photos. Each should overlap the next by about two thirds." };
}

/** Characters that the server rejects in names, and half of a surrogate pair. */
const REJECTED = new RegExp(`[${INVISIBLE}\\p{Cs}]`, "gu");

const readable = (name: string): string => name.replaceAll(REJECTED, "?");

/** Names as the server accepts them: readable, and unique, so that a second IMG_1.jpg from another folder is not lost. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map(readable).map((name) => {
    const dot = name.lastIndexOf(".");
    const [stem, end] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
    let unique = name;
    for (let n = 2; taken.has(unique); n += 1) unique = `${stem} (${n})${end}`;
    taken.add(unique);
    return unique;
  });
}

/** A suggested name for the scene: the folder's or the only clip's name, else the date. */
export function suggestName(paths: readonly string[], today: Date): string {
  const folders = new Set(paths.map((path) => path.split("/").at(-2)).filter((folder) => folder));
  const clip = paths.length === 1 && VIDEO.test(paths[0] ?? "") ? paths[0]?.split("/").at(-1)?.replace(VIDEO, "") : undefined;
  const [only] = folders.size === 1 ? folders : [clip];
  if (only !== undefined) return readable(only).replaceAll(/[_-]+/g, " ").trim();
  return `Scene from ${today.toLocaleDateString("en-GB", { day: "numeric", month: "long" })}`;
}
