// One project's Durable Object: one method for each question, its alarm and its websockets.
// Connects the parts; the rules are in them.
import { DurableObject } from "cloudflare:workers";

import type { Parts, Upload } from "../../shared/contracts/api.ts";
import type { Edit } from "../../shared/contracts/edit.ts";
import type { ExtraName } from "../../shared/contracts/job-input.ts";
import type { Project as ProjectView } from "../../shared/contracts/project.ts";
import type { Preset } from "../../shared/stages.ts";
import type { Env } from "../env.ts";
import { ApiError, guard, isRefusal, type Refusal } from "../errors.ts";
import type { Grant } from "../identity/capability.ts";
import type { Tables } from "../rows.ts";
import { settingsOf } from "../settings.ts";
import { Deletion } from "./deletion.ts";
import { EditBook } from "./edit-book.ts";
import { JobRunner, type ProgressVerdict } from "./job/runner.ts";
import { NEW_KEY, earlierAnswer } from "./once.ts";
import { ClipParts, type StoredPart } from "./photos/parts.ts";
import type { PhotoDeclaration, PhotoRow } from "./photos/rules.ts";
import { PhotoShelf } from "./photos/shelf.ts";
import { Thumbnails, type Thumbnail } from "./photos/thumbnails.ts";
import { ProjectRecord } from "./record.ts";
import { ProjectRestore, type Restored } from "./restore.ts";
import { ShareBook, type ListedShare, type NewShare, type ShareTerms } from "./share-book.ts";
import { ProjectStore } from "./store.ts";
import { projectTag, requireMatch } from "./version.ts";
import { Watchers } from "./watchers.ts";

const ALARM_FALLBACK_MS = 60_000;

export class Project extends DurableObject<Env> {
  readonly #store: ProjectStore;
  readonly #watchers: Watchers;
  readonly #edits: EditBook;
  readonly #record: ProjectRecord;
  readonly #shelf: PhotoShelf;
  readonly #parts: ClipParts;
  readonly #thumbnails: Thumbnails;
  readonly #jobs: JobRunner;
  readonly #deletion: Deletion;
  readonly #shares: ShareBook;
  readonly #restore: ProjectRestore;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new ProjectStore(ctx.storage.sql);
    this.#watchers = new Watchers(ctx);
    this.#edits = new EditBook(this.#store, env.BUCKET);
    this.#record = new ProjectRecord(ctx, env, this.#store, this.#watchers, this.#edits);
    this.#shelf = new PhotoShelf(env, this.#store, this.#record);
    this.#parts = new ClipParts(env, this.#store, this.#record);
    this.#thumbnails = new Thumbnails(env.BUCKET, this.#store, this.#record);
    this.#jobs = new JobRunner(env, { store: this.#store, record: this.#record, shelf: this.#shelf, edits: this.#edits });
    this.#deletion = new Deletion(ctx.storage, env.BUCKET, { store: this.#store, record: this.#record, jobs: this.#jobs, watchers: this.#watchers });
    this.#shares = new ShareBook(this.#store);
    this.#restore = new ProjectRestore(ctx.storage, env.BUCKET, { store: this.#store, record: this.#record });
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  /** Already created (the same Idempotency-Key again): the project as it is now, if the request was the same. */
  create(id: string, name: string): Promise<ProjectView | Refusal> {
    return guard(async () => {
      const { row } = this.#store;
      if (row === undefined) {
        this.#store.create(id, name, Date.now());
        this.#store.remember("create", id, { asked: name, answer: id }, Date.now());
      } else if (row.deleting_until !== null) {
        throw new ApiError("CONFLICT", "This Idempotency-Key created a project that was deleted.", { hint: NEW_KEY });
      } else {
        earlierAnswer(this.#store, "create", id, name);
      }
      await this.#record.updateIndex();
      return this.#record.view();
    });
  }

  view(): Promise<ProjectView | Refusal> {
    return guard(async () => {
      if (this.#record.row().job.state === "uploading") {
        // A project is shown as it was known while its bucket cannot be read.
        await this.#shelf.sync({ exact: false }).catch((error: unknown) => console.error(`photos of ${this.#record.row().id} not listed: ${String(error)}`));
      }
      return this.#record.view();
    });
  }

  /** ifMatch: the version that the caller read, null for any. */
  rename(name: string, ifMatch: string | null = null): Promise<ProjectView | Refusal> {
    return guard(async () => {
      requireMatch(ifMatch, projectTag(this.#record.view()));
      this.#record.change({ name });
      await this.#record.updateIndex();
      return this.#record.view();
    });
  }

  /** Makes the project unreachable at once; alarms remove its bytes and its job. */
  remove(ifMatch: string | null = null): Promise<null | Refusal> {
    return this.#exclusive(async () => {
      if (ifMatch !== null) requireMatch(ifMatch, projectTag(this.#record.view()));
      await this.#deletion.begin();
      return null;
    });
  }

  declarePhotos(declared: readonly PhotoDeclaration[], caller: string, onceKey: string | null = null): Promise<Upload[] | Refusal> {
    return guard(() => this.#shelf.declare(declared, caller, onceKey));
  }

  /** stored: parts of a clip that its uploader has stored since the last call. One at a time: each reads what the last one wrote. */
  nextParts(as: string, stored: readonly StoredPart[]): Promise<Parts | Refusal> {
    return this.#exclusive(async () => {
      const answer = await this.#parts.next(as, stored);
      if (answer.complete) await this.#shelf.sync({ exact: true });
      return answer;
    });
  }

  photos(): Promise<PhotoRow[] | Refusal> {
    return guard(() => this.#shelf.sync({ exact: true }));
  }

  /** Those that are known, without asking the bucket. */
  knownPhotos(): Promise<PhotoRow[] | Refusal> {
    return guard(async () => {
      this.#record.row();
      return this.#store.photos();
    });
  }

  addThumbnails(thumbnails: readonly Thumbnail[]): Promise<null | Refusal> {
    return guard(async () => {
      await this.#thumbnails.add(thumbnails);
      return null;
    });
  }

  deletePhoto(as: string): Promise<null | Refusal> {
    return guard(async () => {
      await this.#shelf.delete(as);
      return null;
    });
  }

  /** Checks first bytes of uploaded photos, at most `max` a call; returns how many are left (0: none). */
  sniffPhotos(max: number): Promise<number | Refusal> {
    return guard(async () => {
      await this.#shelf.sync({ exact: true });
      return this.#shelf.sniff(max);
    });
  }

  /** preset null: again as the attempt before. */
  start(preset: Preset | null, onceKey: string | null = null, usdMax: number | null = null): Promise<ProjectView | Refusal> {
    const wish = preset === null ? ({ again: true } as const) : { preset };
    return this.#exclusive(async () => (await this.#jobs.start(wish, onceKey, usdMax)) ?? this.#record.view());
  }

  /** Starts a job that applies the shown scene's edit to its files. also: files to make besides. */
  applyEdit(also: readonly ExtraName[], onceKey: string | null = null, usdMax: number | null = null): Promise<ProjectView | Refusal> {
    return this.#exclusive(async () => (await this.#jobs.start({ also }, onceKey, usdMax)) ?? this.#record.view());
  }

  /** Shows the scene of this attempt. */
  choose(attempt: number, ifMatch: string | null): Promise<ProjectView | Refusal> {
    return this.#exclusive(async () => {
      requireMatch(ifMatch, projectTag(this.#record.view()));
      this.#record.choose(attempt);
      await this.#record.updateIndex();
      return this.#record.view();
    });
  }

  cancel(reason?: string): Promise<ProjectView | Refusal> {
    return this.#exclusive(async () => {
      await this.#jobs.cancel(reason);
      return this.#record.view();
    });
  }

  onRunPodHook(grant: Grant, hintedId: string | null): Promise<boolean> {
    return this.#jobs.onRunPodHook(grant, hintedId);
  }

  onProgress(grant: Grant, headers: Record<string, string>, body: string): Promise<ProgressVerdict> {
    return this.#jobs.onProgress(grant, headers, body);
  }

  createShare(terms: ShareTerms, onceKey: string | null): Promise<NewShare | Refusal> {
    return guard(() => this.#shares.create(this.#record.row().id, terms, onceKey, settingsOf(this.env).hookKeys));
  }

  shares(): Promise<ListedShare[] | Refusal> {
    return guard(async () => {
      this.#record.row();
      return this.#shares.list();
    });
  }

  deleteShare(id: string): Promise<null | Refusal> {
    return guard(async () => {
      this.#record.row();
      this.#shares.revoke(id);
      return null;
    });
  }

  /** The project for the holder of a share's secret, and the link's terms. counted: somebody looks at it now. */
  openShare(secret: string, counted = false): Promise<{ project: ProjectView; share: ListedShare } | Refusal> {
    return guard(async () => {
      const share = await this.#shares.open(secret, counted);
      return { project: this.#record.view(), share };
    });
  }

  /** edit null: undoes the last one. */
  edit(edit: Edit | null, ifMatch: string | null): Promise<ProjectView | Refusal> {
    return guard(async () => {
      const scene = this.#record.editable();
      requireMatch(ifMatch, projectTag(this.#record.view()));
      if (edit === null) this.#edits.undo(scene);
      else this.#edits.set(scene, edit);
      this.#record.change({});
      await this.#record.updateIndex();
      return this.#record.view();
    });
  }

  addCover(image: Uint8Array, thumbnail: Uint8Array): Promise<number | Refusal> {
    return guard(() => this.#edits.addCover(this.#record.editable(), image, thumbnail));
  }

  /** Every row for a backup; null: there is no such project (any more). */
  backup(): Tables | null {
    return this.#store.row === undefined || this.#store.row.deleting_until !== null ? null : this.#store.dump();
  }

  restore(id: string, tables: Tables, overwrite: boolean): Promise<Restored | Refusal> {
    return this.#exclusive(() => this.#restore.load(id, tables, overwrite));
  }

  /** Websocket only: the route has checked identity and Origin. */
  override async fetch(request: Request): Promise<Response> {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return new Response(null, { status: 426 });
    const view = await this.view();
    return isRefusal(view) ? new Response(null, { status: 404 }) : this.#watchers.accept(request, view);
  }

  override webSocketMessage(): void {
    // Browsers send nothing but "ping", which is answered without waking this object.
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    // 1005 and 1006 are local codes and must not be sent.
    socket.close(code === 1005 || code === 1006 ? 1000 : code);
  }

  override async alarm(): Promise<void> {
    const { row } = this.#store;
    if (row === undefined) return;
    // The platform repeats an alarm that throws a few times only: the next one is set before any work.
    await this.ctx.storage.setAlarm(Date.now() + ALARM_FALLBACK_MS);
    if (row.deleting_until !== null) await this.#exclusive(() => this.#deletion.sweep());
    else {
      // Not while it is being cancelled or deleted: such a job must not be submitted.
      if (this.#jobs.waits()) await this.#exclusive(() => this.#jobs.takeTurn());
      await this.#jobs.wake();
    }
  }

  /** One at a time: starting, cancelling and deleting wait for each other, also across their calls to others. */
  #exclusive<T>(work: () => Promise<T>): Promise<T | Refusal> {
    const run = this.#tail.then(() => guard(work));
    this.#tail = run.catch(() => undefined);
    return run;
  }
}
