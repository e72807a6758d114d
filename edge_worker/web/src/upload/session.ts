// One upload from chosen photos to a started job: announce, send, check, start; goes on after a break.
// Never loses its place: the server's list of received photos is the truth it starts from.
import type { Upload } from "../../../shared/contracts/api.ts";
import { api, ApiError, asApiError } from "../api/api.ts";
import type { PhotoToSend } from "../intake/intake.ts";
import { Store } from "../lib/store.ts";
import { batches, outcome, plan, TRIES_MAX, waitMs, worthRepeating } from "./plan.ts";
import { put, type Put } from "./put.ts";

export type ItemState = "waiting" | "sending" | "sent" | "refused";

export interface Item {
  name: string;
  bytes: number;
  sent: number;
  state: ItemState;
  /** Tries so far beyond the first. */
  repeats: number;
  reason: string | null;
}

export type Phase = "announcing" | "sending" | "checking" | "starting" | "started" | "stopped";

export interface Progress {
  phase: Phase;
  items: readonly Item[];
  sentBytes: number;
  allBytes: number;
  /** Why it stopped; the same photos can be sent on from there. */
  error: ApiError | null;
}

const AT_ONCE = 4;

export class UploadSession {
  readonly progress: Store<Progress>;
  readonly #photos: readonly PhotoToSend[];
  readonly #items: Map<string, Item>;
  readonly #puts = new Set<Put>();
  /** Each run has a number; whatever belongs to an older one stops at its next step. */
  #turn = 0;
  #redraw: number | undefined;
  #phase: Phase = "announcing";
  #error: ApiError | null = null;

  constructor(
    readonly projectId: string,
    photos: readonly PhotoToSend[],
    readonly preset: string,
  ) {
    this.#photos = photos;
    this.#items = new Map(photos.map(({ name, bytes }) => [name, { name, bytes, sent: 0, state: "waiting", repeats: 0, reason: null }]));
    this.progress = new Store(this.#snapshot());
  }

  /** Resolves when the job is started or the upload stopped; the reason is in `progress`. */
  async run(): Promise<void> {
    const turn = ++this.#turn;
    this.#error = null;
    const release = await stayAwake();
    const warn = (event: BeforeUnloadEvent): void => event.preventDefault();
    addEventListener("beforeunload", warn);
    try {
      await this.#sendAll(turn);
      if (this.#over(turn)) return;
      this.#enter("starting");
      await api.start(this.projectId, this.preset);
      this.#enter("started");
    } catch (error) {
      if (this.#over(turn)) return;
      this.#error = asApiError(error);
      this.#enter("stopped");
    } finally {
      removeEventListener("beforeunload", warn);
      release();
    }
  }

  stop(): void {
    this.#turn += 1;
    for (const one of this.#puts) one.abort();
    this.#enter("stopped");
  }

  #over(turn: number): boolean {
    return turn !== this.#turn;
  }

  async #sendAll(turn: number): Promise<void> {
    this.#enter("announcing");
    // Twice: what the check after the first round does not find is sent once more.
    for (let round = 1; round <= 2; round += 1) {
      const { photos } = await patiently(() => api.photos(this.projectId));
      const { sent, toSend, stray } = plan(this.#photos, photos);
      for (const { name, bytes } of sent) this.#change(name, { state: "sent", sent: bytes });
      for (const { as } of stray) await patiently(() => api.removePhoto(this.projectId, as));
      if (toSend.length === 0) return;
      for (const batch of batches(toSend)) {
        if (this.#over(turn)) return;
        await this.#sendBatch(batch, turn);
      }
      if (this.#over(turn)) return;
      this.#enter("checking");
    }
    const { photos } = await patiently(() => api.photos(this.projectId));
    const missing = plan(this.#photos, photos).toSend.length;
    if (missing > 0) {
      throw new ApiError(0, "INCOMPLETE", `${missing} of ${this.#photos.length} photos did not arrive.`, "Check the connection and send the rest.");
    }
  }

  async #sendBatch(batch: readonly PhotoToSend[], turn: number): Promise<void> {
    const { uploads } = await patiently(() => api.declare(this.projectId, batch.map(declaration)));
    if (this.#over(turn)) return;
    this.#enter("sending");
    const byName = new Map(uploads.map((upload) => [upload.name, upload]));
    const queue = [...batch];
    const lane = async (): Promise<void> => {
      for (let photo = queue.shift(); photo && !this.#over(turn); photo = queue.shift()) {
        const upload = byName.get(photo.name);
        if (upload) await this.#sendOne(photo, upload, turn);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  }

  async #sendOne(photo: PhotoToSend, first: Upload, turn: number): Promise<void> {
    let upload = first;
    for (let repeats = 0; !this.#over(turn); repeats += 1) {
      this.#change(photo.name, { state: "sending", sent: 0, repeats });
      const one = put(upload, photo.file, (sent) => this.#change(photo.name, { sent }));
      this.#puts.add(one);
      const result = outcome(await one.done);
      this.#puts.delete(one);
      if (this.#over(turn)) return this.#change(photo.name, { state: "waiting", sent: 0 });
      if (result.kind === "sent") return this.#change(photo.name, { state: "sent", sent: photo.bytes });
      if (result.kind === "refused") return this.#refuse(photo.name, result.reason);
      if (repeats + 1 >= TRIES_MAX) return this.#refuse(photo.name, "The connection kept breaking.");
      this.#change(photo.name, { state: "waiting", sent: 0, repeats: repeats + 1 });
      await pause(waitMs(repeats + 1, Math.random()));
      if (result.kind === "expired") {
        const again = await patiently(() => api.declare(this.projectId, [declaration(photo)]));
        upload = again.uploads[0] ?? upload;
      }
    }
  }

  #refuse(name: string, reason: string): void {
    this.#change(name, { state: "refused", sent: 0, reason });
  }

  #change(name: string, change: Partial<Item>): void {
    const item = this.#items.get(name);
    if (!item) return;
    this.#items.set(name, { ...item, ...change });
    // Many progress events a second, one drawing per frame.
    this.#redraw ??= requestAnimationFrame(() => {
      this.#redraw = undefined;
      this.progress.set(this.#snapshot());
    });
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.progress.set(this.#snapshot());
  }

  #snapshot(): Progress {
    const items = [...this.#items.values()];
    return {
      phase: this.#phase,
      items,
      sentBytes: items.reduce((sum, { sent }) => sum + sent, 0),
      allBytes: items.reduce((sum, { bytes }) => sum + bytes, 0),
      error: this.#error,
    };
  }
}

function declaration({ name, type, bytes, sha256 }: PhotoToSend) {
  return { name, type, bytes, ...(sha256 !== null && { sha256 }) };
}

/** For calls that may be made twice: a list, an announcement, taking one back. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let repeats = 1; ; repeats += 1) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof ApiError) || !worthRepeating(error.status, error.retryAfterS) || repeats >= TRIES_MAX) throw error;
      await pause(Math.max(waitMs(repeats, Math.random()), (error.retryAfterS ?? 0) * 1000));
    }
  }
}

/** Waits, and while the device is offline waits on. */
async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  if (!navigator.onLine) await new Promise((resolve) => addEventListener("online", resolve, { once: true }));
}

/** Keeps the screen on where the browser can; a phone that sleeps stops sending. */
async function stayAwake(): Promise<() => void> {
  try {
    const lock = await navigator.wakeLock.request("screen");
    return () => void lock.release();
  } catch {
    return () => undefined;
  }
}

/** The upload going on in this page, if any; it survives moving between pages. */
export const current = new Store<UploadSession | null>(null);

export function startUpload(projectId: string, photos: readonly PhotoToSend[], preset: string): void {
  const upload = new UploadSession(projectId, photos, preset);
  current.set(upload);
  void upload.run();
}
