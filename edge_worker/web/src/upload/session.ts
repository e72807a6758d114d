// One upload, from chosen photos to a started job: declare, upload, check, start. It can be resumed.
// Each run starts from the server's list of uploaded photos, so nothing is uploaded twice.
import type { PutUpload, Upload } from "../../../shared/contracts/api.ts";
import { api, ApiError, asApiError } from "../api/api.ts";
import type { PhotoToSend } from "../intake/intake.ts";
import { Store } from "../lib/store.ts";
import { sendClip } from "./clip.ts";
import { batches, outcome, plan, TRIES_MAX, waitMs, worthRepeating } from "./plan.ts";
import { tell } from "./other-tabs.ts";
import { put, type Put } from "./put.ts";
import { sendThumbnails } from "./thumbnails.ts";

export type ItemState = "waiting" | "sending" | "sent" | "rejected";

export interface Item {
  name: string;
  bytes: number;
  sent: number;
  state: ItemState;
  /** Repeats so far. */
  repeats: number;
  reason: string | null;
  isClip: boolean;
}

export type Phase = "declaring" | "sending" | "checking" | "starting" | "started" | "stopped";

export interface Progress {
  phase: Phase;
  items: readonly Item[];
  sentBytes: number;
  allBytes: number;
  /** Why it stopped. `run` resumes it. */
  error: ApiError | null;
}

export interface UploadOptions {
  /** The scene's attempt so far, when photos are added to one that was made. */
  readonly attempt?: number;
  /** The job has started: the choice of photos is no longer needed. */
  readonly onStarted?: () => void;
}

const AT_ONCE = 4;

export class UploadSession {
  readonly progress: Store<Progress>;
  readonly #photos: readonly PhotoToSend[];
  readonly #items: Map<string, Item>;
  readonly #puts = new Set<Put>();
  /** The same key again starts no second job, so a start whose answer was lost can be repeated. */
  readonly #startKey = `start-${Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("")}`;
  /** The number of the current run. Work of an older run stops at its next step. */
  #turn = 0;
  #redraw: number | undefined;
  #phase: Phase = "declaring";
  #error: ApiError | null = null;

  constructor(
    readonly projectId: string,
    photos: readonly PhotoToSend[],
    readonly preset: string,
    readonly options: UploadOptions = {},
  ) {
    this.#photos = photos;
    this.#items = new Map(photos.map(({ name, bytes, seconds }) => [name, { name, bytes, sent: 0, state: "waiting", repeats: 0, reason: null, isClip: seconds !== null }]));
    this.progress = new Store(this.#snapshot());
  }

  /** Resolves when the job has started or the upload has stopped. `progress` holds the reason. */
  async run(): Promise<void> {
    const turn = ++this.#turn;
    this.#error = null;
    const release = await stayAwake();
    const silence = tell(() => ({ projectId: this.projectId, count: this.#items.size, sent: [...this.#items.values()].filter(({ state }) => state === "sent").length }));
    const warn = (event: BeforeUnloadEvent): void => event.preventDefault();
    addEventListener("beforeunload", warn);
    try {
      await this.#sendAll(turn);
      if (this.#over(turn)) return;
      this.#enter("starting");
      await sendThumbnails(this.projectId, this.#photos);
      await patiently(() => api.start(this.projectId, this.preset, this.#startKey));
      this.#enter("started");
      this.options.onStarted?.();
    } catch (error) {
      if (this.#over(turn)) return;
      this.#error = asApiError(error);
      this.#enter("stopped");
    } finally {
      removeEventListener("beforeunload", warn);
      release();
      silence();
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
    this.#enter("declaring");
    // Twice: photos that are missing in the check after the first round are uploaded once more.
    for (let round = 1; round <= 2; round += 1) {
      const { photos } = await patiently(() => api.photos(this.projectId));
      const { sent, toSend, orphaned } = plan(this.#photos, photos);
      for (const { name, bytes } of sent) this.#change(name, { state: "sent", sent: bytes });
      for (const { as } of orphaned) await patiently(() => api.removePhoto(this.projectId, as));
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
      throw new ApiError(0, "INCOMPLETE", `${missing} of ${this.#photos.length} photos were not uploaded.`, "Check your connection, then resume the upload.");
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
    if (first.method === "PARTS") return this.#sendClip(photo, first.as, turn);
    let upload: PutUpload = first;
    for (let repeats = 0; !this.#over(turn); repeats += 1) {
      this.#change(photo.name, { state: "sending", sent: 0, repeats });
      const one = put(upload, photo.file, (sent) => this.#change(photo.name, { sent }));
      this.#puts.add(one);
      const result = outcome(await one.done);
      this.#puts.delete(one);
      if (this.#over(turn)) return this.#change(photo.name, { state: "waiting", sent: 0 });
      if (result.kind === "sent") return this.#change(photo.name, { state: "sent", sent: photo.bytes });
      if (result.kind === "rejected") return this.#reject(photo.name, result.reason);
      if (repeats + 1 >= TRIES_MAX) return this.#reject(photo.name, "The connection kept failing. Resume the upload to try again.");
      this.#change(photo.name, { state: "waiting", sent: 0, repeats: repeats + 1 });
      await pause(waitMs(repeats + 1, Math.random()));
      if (result.kind === "expired") {
        const again = await patiently(() => api.declare(this.projectId, [declaration(photo)]));
        if (again.uploads[0]?.method === "PUT") upload = again.uploads[0];
      }
    }
  }

  async #sendClip({ name, bytes, file }: PhotoToSend, as: string, turn: number): Promise<void> {
    this.#change(name, { state: "sending", repeats: 0 });
    const reason = await sendClip(file, {
      next: (stored) => patiently(() => api.parts(this.projectId, as, stored)),
      over: () => this.#over(turn),
      onBytes: (sent) => this.#change(name, { sent }),
      running: this.#puts,
      wait: (n) => {
        this.#change(name, { repeats: n });
        return pause(waitMs(n, Math.random()));
      },
    });
    if (this.#over(turn)) this.#change(name, { state: "waiting" });
    else if (reason !== null) this.#reject(name, reason);
    else this.#change(name, { state: "sent", sent: bytes });
  }

  #reject(name: string, reason: string): void {
    this.#change(name, { state: "rejected", sent: 0, reason });
  }

  #change(name: string, change: Partial<Item>): void {
    const item = this.#items.get(name);
    if (!item) return;
    this.#items.set(name, { ...item, ...change });
    // Many progress events per second, one redraw per frame.
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

function declaration({ name, type, bytes, sha256, seconds }: PhotoToSend) {
  return { name, type, bytes, ...(sha256 !== null && { sha256 }), ...(seconds !== null && { seconds }) };
}

/** Retries an idempotent call: listing, declaring, removing, starting with a key. */
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

/** Waits, and longer while the device is offline. */
async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  if (!navigator.onLine) await new Promise((resolve) => addEventListener("online", resolve, { once: true }));
}

/** Keeps the screen on if the browser can: a sleeping phone stops uploading. */
async function stayAwake(): Promise<() => void> {
  try {
    const lock = await navigator.wakeLock.request("screen");
    return () => void lock.release();
  } catch {
    return () => undefined;
  }
}

/** The upload in progress, if any. It continues while another page is shown. */
export const current = new Store<UploadSession | null>(null);

export function startUpload(projectId: string, photos: readonly PhotoToSend[], preset: string, options: UploadOptions): void {
  const upload = new UploadSession(projectId, photos, preset, options);
  current.set(upload);
  void upload.run();
}
