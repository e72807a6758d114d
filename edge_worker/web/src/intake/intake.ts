// The chosen photos before the upload: facts, thumbnails, verdicts.
// Never uploads. Holds one set at a time, for as long as the app is open.
import type { PhotoLimits } from "../../../shared/limits.ts";
import { HEAD_BYTES, photoType, videoType, type SourceType } from "../../../shared/photo-types.ts";
import { Store } from "../lib/store.ts";
import { pictureOf, secondsOf } from "./clip.ts";
import { picture } from "./picture.ts";
import { judge, leftOut, uniqueNames, type Facts, type Verdict } from "./rules.ts";

export interface Chosen {
  key: number;
  file: File;
  /** Includes the folder if the browser reports it. */
  path: string;
  facts: Facts;
  thumbnail: string | null;
  /** The same as a file; null if this browser cannot decode the photo. */
  small: Blob | null;
  /** False until all facts are known. */
  examined: boolean;
}

/** A usable photo or clip. seconds: the length of a clip. */
export interface PhotoToSend {
  name: string;
  type: SourceType;
  bytes: number;
  sha256: string | null;
  seconds: number | null;
  file: File;
  /** A small picture of it, if this browser could make one. */
  small: Blob | null;
}

/** What a browser keeps of a chosen file until the page is open again. */
export interface Kept {
  key: number;
  file: File;
  path: string;
}

export interface LeftOut {
  path: string;
  reason: string;
}

const AT_ONCE = 3;

export class Intake {
  readonly chosen = new Store<readonly Chosen[]>([]);
  /** Files that were not examined, and why. */
  readonly leftOut = new Store<readonly LeftOut[]>([]);
  /** Later than every key of a page that was open before. */
  #nextKey = Date.now();
  #waiting: Chosen[] = [];
  #running = 0;

  add(files: readonly { file: File; path: string }[]): void {
    const out = files.flatMap(({ file, path }): LeftOut[] => {
      const reason = leftOut(file.name, file.size);
      return reason === null ? [] : [{ path, reason }];
    });
    if (out.length > 0) this.leftOut.update((all) => [...all, ...out]);
    this.#take(files.filter(({ file }) => leftOut(file.name, file.size) === null).map((one) => ({ ...one, key: this.#nextKey++ })));
  }

  /** The choice of a page that was open before, ahead of what was chosen meanwhile. */
  restore(kept: readonly Kept[]): void {
    const there = new Set(this.chosen.get().map(({ key }) => key));
    this.#take(kept.filter(({ key }) => !there.has(key)), "first");
  }

  #take(files: readonly Kept[], where: "first" | "last" = "last"): void {
    if (files.length === 0) return;
    const fresh = files.map(({ key, file, path }): Chosen => {
      const facts: Facts = { name: file.name, bytes: file.size, type: null, sha256: null, sharpness: null, opens: true, seconds: null };
      return { key, file, path, facts, thumbnail: null, small: null, examined: false };
    });
    const all = where === "last" ? [...this.chosen.get(), ...fresh] : [...fresh, ...this.chosen.get()];
    const names = uniqueNames(all.map(({ file }) => file.name));
    this.chosen.set(all.map((one, i) => ({ ...one, facts: { ...one.facts, name: names[i] ?? one.facts.name } })));
    this.#waiting.push(...fresh);
    this.#pump();
  }

  remove(key: number): void {
    const gone = this.chosen.get().find((one) => one.key === key);
    if (gone?.thumbnail) URL.revokeObjectURL(gone.thumbnail);
    this.chosen.update((all) => all.filter((one) => one.key !== key));
  }

  clear(): void {
    for (const { thumbnail } of this.chosen.get()) if (thumbnail) URL.revokeObjectURL(thumbnail);
    this.#waiting = [];
    this.leftOut.set([]);
    this.chosen.set([]);
  }

  /** One verdict per chosen file. A file that is still being examined counts as usable. */
  verdicts(limits: PhotoLimits): Verdict[] {
    const all = this.chosen.get();
    const facts = all.map(({ facts, examined }) => (examined ? facts : { ...facts, type: facts.type ?? "image/jpeg" }) satisfies Facts);
    return judge(facts, limits);
  }

  /** The usable photos among those already examined. */
  toSend(limits: PhotoLimits): PhotoToSend[] {
    const verdicts = this.verdicts(limits);
    return this.chosen.get().flatMap(({ file, small, facts: { name, type, bytes, sha256, seconds } }, i) => (verdicts[i]?.use && type !== null ? [{ name, type, bytes, sha256, seconds, file, small }] : []));
  }

  #pump(): void {
    while (this.#running < AT_ONCE) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#running += 1;
      void this.#examine(next).finally(() => {
        this.#running -= 1;
        this.#pump();
      });
    }
  }

  async #examine({ key, file }: Chosen): Promise<void> {
    const still = (): boolean => this.chosen.get().some((one) => one.key === key);
    if (!still()) return;
    const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
    const clip = videoType(head);
    if (clip !== null) return this.#examineClip(key, file, clip);
    const type = photoType(head);
    if (type === null) return this.#learn(key, { type }, null);
    const [sha256, seen] = await Promise.all([digest(file), picture(file)]);
    // Only Safari decodes HEIC. In other browsers a HEIC photo is uploaded unseen, and the worker decodes it.
    const opens = seen !== null || type === "image/heic";
    this.#learn(key, { type, sha256, opens, sharpness: seen?.sharpness ?? null }, seen?.thumbnail ?? null);
  }

  /** Without a digest: a clip may have gigabytes. */
  async #examineClip(key: number, file: File, type: SourceType): Promise<void> {
    const seconds = await secondsOf(file);
    this.#learn(key, { type, seconds }, seconds === null ? null : await pictureOf(file, seconds));
  }

  #learn(key: number, facts: Partial<Facts>, small: Blob | null): void {
    const thumbnail = small === null ? null : URL.createObjectURL(small);
    this.chosen.update((all) =>
      all.map((one) => (one.key === key ? { ...one, facts: { ...one.facts, ...facts }, thumbnail, small, examined: true } : one)),
    );
  }
}

/** SHA-256 in hex; null where the page is not a secure context (plain http on a network address). */
async function digest(file: File): Promise<string | null> {
  if (!isSecureContext) return null;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const intake = new Intake();
