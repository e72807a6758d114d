// Which of the chosen files go up, which stay here and why, and what the set as a whole still needs.
// Pure: facts in, verdicts out; the limits come from the server.
import { INVISIBLE, type PhotoLimits } from "../../../shared/limits.ts";
import type { PhotoType } from "../../../shared/photo-types.ts";
import { bytes as sizeWords, plural } from "../lib/format.ts";
import { softOnes } from "./sharpness.ts";

/** What is known of one chosen file. */
export interface Facts {
  name: string;
  bytes: number;
  type: PhotoType | null;
  /** Null until it was computed. */
  sha256: string | null;
  sharpness: number | null;
  /** False when this browser should be able to draw the type but could not. */
  opens: boolean;
}

export type Verdict = { use: true; hint: string | null } | { use: false; reason: string };

/** More photos than this rarely make an object better; fewer than this often leaves holes. */
const COMFORTABLE = 20;

const VIDEO = /\.(mp4|mov|m4v|avi|mkv|webm|mts|3gp)$/i;

export function judge(files: readonly Facts[], limits: PhotoLimits): Verdict[] {
  const seen = new Map<string, string>();
  const soft = softOnes(files.map(({ sharpness }) => sharpness));
  let used = 0;
  return files.map((file, i) => {
    const reason = refusal(file, limits, seen, used);
    if (reason !== null) return { use: false, reason };
    used += 1;
    if (file.sha256 !== null) seen.set(file.sha256, file.name);
    return { use: true, hint: soft.has(i) ? "Softer than the others; take it again if you can." : null };
  });
}

function refusal(file: Facts, limits: PhotoLimits, seen: ReadonlyMap<string, string>, used: number): string | null {
  if (file.type === null && VIDEO.test(file.name)) return "A video: save single pictures of it, two for each second.";
  if (file.type === null) return "Not a photo: JPEG, PNG, WebP and HEIC are.";
  if (file.bytes > limits.photo_bytes_max) {
    return `${sizeWords(file.bytes)} is too large; at most ${sizeWords(limits.photo_bytes_max)} each.`;
  }
  if (!file.opens) return "The file is damaged and cannot be opened.";
  const twin = file.sha256 === null ? undefined : seen.get(file.sha256);
  if (twin !== undefined) return `The same picture as ${twin}.`;
  if (used >= limits.photos_max) return `More than ${limits.photos_max} photos; this one stays here.`;
  return null;
}

export interface SetAdvice {
  enough: boolean;
  words: string;
}

/** What to tell about a set of `used` photos. */
export function advise(used: number, limits: PhotoLimits): SetAdvice {
  if (used < limits.photos_min) {
    const missing = limits.photos_min - used;
    return { enough: false, words: `${plural(missing, "more photo")} needed: a scene starts at ${limits.photos_min}.` };
  }
  if (used < COMFORTABLE) {
    return { enough: true, words: `Enough to start. Around ${COMFORTABLE} or more, from all sides, leave fewer holes.` };
  }
  return { enough: true, words: "A good number. Neighbours should overlap by about two thirds." };
}

/** Characters that the server rejects in names, and half of a surrogate pair. */
const REJECTED = new RegExp(`[${INVISIBLE}\\p{Cs}]`, "gu");

const readable = (name: string): string => name.replaceAll(REJECTED, "?");

/** Names as the server will see them: readable, and unique, so that a second IMG_1.jpg from another folder is not lost. */
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

/** A first name for the scene: the folder's, else the day. */
export function suggestName(paths: readonly string[], today: Date): string {
  const folders = new Set(paths.map((path) => path.split("/").at(-2)).filter((folder) => folder));
  const [only] = folders;
  if (folders.size === 1 && only !== undefined) return readable(only).replaceAll(/[_-]+/g, " ").trim();
  return `Scene of ${today.toLocaleDateString("en-GB", { day: "numeric", month: "long" })}`;
}
