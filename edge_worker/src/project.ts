// One project's object: holds its truth, serialises what happens to it, tells browsers and the index.
// Never trusts a hook's body, never leaves a final state by itself, never holds two jobs at once.
import { DurableObject } from "cloudflare:workers";

import { ADOPT_MS, attemptTimes, confirmArtifacts, interpret, provesAttempt, readBucketReport, submit, type AttemptPlan } from "./attempt.ts";
import type { Grant } from "./capability.ts";
import { randomBytes, randomId, randomToken, sha256Hex, toBase64, equalSecrets } from "./crypto.ts";
import { settingsOf, type Env, type Settings } from "./env.ts";
import { ApiError, type Refusal } from "./errors.ts";
import { estimate, roundUsd } from "./estimate.ts";
import type { Index, Settlement } from "./index-object.ts";
import { keys, type Preset } from "./job-input.ts";
import { ACTIVE, FINAL, STARTABLE, transition, type Event, type Job } from "./job-state.ts";
import { PhotoShelf, checkPhotoSet, type Upload } from "./photo-shelf.ts";
import type { PhotoDeclaration } from "./photos.ts";
import { Presigner } from "./presign.ts";
import { ProjectStore, type PhotoRow, type ProjectRow, type ShareRow } from "./project-store.ts";
import { viewProject, type ProjectView } from "./project-view.ts";
import { ProgressSchema } from "./report.ts";
import { RunPod, RunPodError } from "./runpod.ts";
import { nextAlarm } from "./schedule.ts";
import { indexStub, type Remote } from "./stubs.ts";
import { verifySignedMessage, type SignatureVerdict } from "./signed-message.ts";

const DELETE_PAGE = 1000;
const SWEEP_EVERY_MS = 10 * 60_000;
/** A listing of the bucket answers all reads of this time. */
const SYNC_FRESH_MS = 1000;
const SHARES_MAX = 100;

export class Project extends DurableObject<Env> {
  /** Replaced in tests. */
  clock: () => number = () => Date.now();
  readonly #store: ProjectStore;
  #settings: Settings | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #syncedAt = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new ProjectStore(ctx.storage.sql);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  // ---- the project -------------------------------------------------------------------------------------------

  async create(id: string, name: string): Promise<ProjectView> {
    if (this.#store.row === undefined) this.#store.create(id, name, this.clock());
    const row = this.#row();
    await this.#tellIndex();
    return this.#view(row);
  }

  view(): Promise<ProjectView | Refusal> {
    return guard(async () => {
      await this.#syncIfOpen();
      return this.#view(this.#row());
    });
  }

  rename(name: string): Promise<ProjectView | Refusal> {
    return guard(async () => {
      this.#row();
      this.#changed({ name });
      await this.#tellIndex();
      return this.#view(this.#row());
    });
  }

  /** Makes the project unreachable at once; its bytes and its job are gone when the alarms have done their work. */
  remove(): Promise<null | Refusal> {
    return this.#exclusive(async () => {
      const row = this.#row();
      const now = this.clock();
      const job = transition(row.job, { type: "cancel" }, now);
      // A worker that is still running holds addresses to write to until the deadline: sweep until then.
      const until = job.attempt > 0 && job.deadlineAt !== null && job.state !== "done" ? Math.max(now, job.deadlineAt) : now;
      this.#store.update({ job, deleting_until: until });
      await this.ctx.storage.setAlarm(now + 1000);
      for (const socket of this.ctx.getWebSockets()) socket.close(1000, "The project was deleted.");
      await this.#index().remove(row.id);
      await this.#tellIndex();
      await this.#sweep();
      return null;
    });
  }

  // ---- photos ------------------------------------------------------------------------------------------------

  declarePhotos(declared: readonly PhotoDeclaration[]): Promise<Upload[] | Refusal> {
    return guard(async () => {
      const row = this.#changeable();
      const uploads = await this.#shelf().declare(row.id, declared, this.#config().limits, this.clock());
      this.#photosChanged();
      await this.#dropCheckpoint();
      await this.#tellIndex();
      return uploads;
    });
  }

  photos(): Promise<PhotoRow[] | Refusal> {
    return guard(async () => {
      this.#row();
      await this.#sync();
      return this.#store.photos();
    });
  }

  deletePhoto(as: string): Promise<null | Refusal> {
    return guard(async () => {
      const row = this.#changeable();
      await this.#shelf().delete(row.id, as);
      this.#photosChanged();
      await this.#dropCheckpoint();
      await this.#tellIndex();
      return null;
    });
  }

  /** Looks at first bytes of uploaded photos, at most `max` a call; returns how many are left (0: none). */
  sniffPhotos(max: number): Promise<number | Refusal> {
    return guard(async () => {
      const row = this.#row();
      await this.#sync();
      return this.#shelf().sniff(row.id, max);
    });
  }

  // ---- jobs --------------------------------------------------------------------------------------------------

  /** preset null: the one of the attempt before (retry). */
  start(preset: Preset | null): Promise<ProjectView | Refusal> {
    return this.#exclusive(async () => {
      await this.#sync();
      // What the attempt before cost must be booked before the next one takes its place.
      if (this.#row().index_dirty) await this.#tellIndex();
      const row = this.#row();
      const chosen = this.#checkStart(row, preset);
      const photos = this.#store.photos();
      const { limits, price } = this.#config();
      checkPhotoSet(photos, limits);
      const now = this.clock();
      const deadlineAt = now + attemptTimes(limits.job_seconds_max).deadlineS * 1000;
      const { usd } = estimate(chosen, photos.length, await this.#index().samples(), price);
      const attempt = row.job.attempt + 1;
      const reserved = await this.#index().reserve({ projectId: row.id, attempt, preset: chosen, photos: photos.length, usd, expiresAt: deadlineAt });
      if ("refused" in reserved) return reserved;
      // From here on the attempt exists, whatever happens to this object: nonce, deadline and alarm come before the call.
      const plan: AttemptPlan = {
        projectId: row.id,
        attempt,
        preset: chosen,
        photos,
        nonce: randomToken(16),
        progressSecret: `whsec_${toBase64(randomBytes(32))}`,
        deadlineAt,
        now,
        usdMax: roundUsd(reserved.usdLeft),
      };
      this.#store.update({ grant_nonce: plan.nonce, progress_secret: plan.progressSecret, reserved_usd: usd, asked_at: now, hurry: false });
      await this.#apply({ type: "start", preset: chosen, deadlineAt });
      await this.#apply({ type: "submit_unknown", attempt, adoptUntil: now + ADOPT_MS });
      await this.#apply(await submit(plan, this.#config(), this.#runpod(), this.clock));
      return this.#view(this.#row());
    });
  }

  cancel(): Promise<ProjectView | Refusal> {
    return this.#exclusive(async () => {
      const { job } = this.#row();
      if (!ACTIVE.has(job.state)) {
        throw new ApiError("CONFLICT", `The project is ${job.state}; only a queued or running job can be cancelled.`);
      }
      await this.#apply({ type: "cancel" });
      await this.#confirmCancels();
      return this.#view(this.#row());
    });
  }

  // ---- hooks -------------------------------------------------------------------------------------------------

  /** RunPod says that something happened: look. hintedId: the id its body names, believed only if RunPod confirms whose it is. */
  async onRunPodHook(grant: Grant, hintedId: string | null): Promise<boolean> {
    if (!this.#grantFits(grant)) return false;
    const { job } = this.#row();
    if (!ACTIVE.has(job.state)) return true;
    if (job.runpodId === null) {
      this.#store.update({ hurry: true });
      if (hintedId !== null) await this.#adopt(hintedId);
    }
    await this.#poll({ hook: true });
    return true;
  }

  /** A worker's signed progress. */
  async onProgress(grant: Grant, headers: Record<string, string>, body: string): Promise<SignatureVerdict | "unknown" | "unreadable"> {
    if (!this.#grantFits(grant)) return "unknown";
    const row = this.#row();
    const verdict = await verifySignedMessage(row.progress_secret ?? "", new Headers(headers), body, this.clock());
    if (verdict !== "ok") return verdict;
    const parsed = ProgressSchema.safeParse(parseJson(body));
    if (!parsed.success || parsed.data.project_id !== row.id || parsed.data.attempt !== grant.attempt) return "unreadable";
    const { seq, stage, fraction, message, eta_s, preview, attempt } = parsed.data;
    const at = new Date(this.clock()).toISOString();
    await this.#apply({ type: "progress", attempt, seq, progress: { stage, fraction, message, eta_s: eta_s ?? null, preview: preview ?? null, at } });
    return "ok";
  }

  // ---- shares ------------------------------------------------------------------------------------------------

  /** The token is shown once; only its digest is kept. */
  createShare(expiresInS: number | null): Promise<{ id: string; token: string; expiresAt: number | null } | Refusal> {
    return guard(async () => {
      const row = this.#row();
      const now = this.clock();
      if (this.#store.shares(now).length >= SHARES_MAX) {
        throw new ApiError("CONFLICT", `The project has ${SHARES_MAX} share links, which is the most allowed.`, { hint: "Revoke one first." });
      }
      const id = randomId("s", 10);
      const secret = randomToken(24);
      const expiresAt = expiresInS === null ? null : now + expiresInS * 1000;
      this.#store.addShare({ id, secret_sha256: await sha256Hex(secret), created_at: now, expires_at: expiresAt });
      return { id, token: `${row.id}.${secret}`, expiresAt };
    });
  }

  shares(): Promise<Omit<ShareRow, "secret_sha256">[] | Refusal> {
    return guard(async () => {
      this.#row();
      return this.#store.shares(this.clock()).map(({ id, created_at, expires_at }) => ({ id, created_at, expires_at }));
    });
  }

  deleteShare(id: string): Promise<null | Refusal> {
    return guard(async () => {
      this.#row();
      if (!this.#store.deleteShare(id)) throw new ApiError("NOT_FOUND", `The project has no share link "${id}".`);
      return null;
    });
  }

  /** The project for the holder of a share's secret. */
  openShare(secret: string): Promise<ProjectView | Refusal> {
    return guard(async () => {
      const digest = await sha256Hex(secret);
      for (const share of this.#store.row === undefined ? [] : this.#store.shares(this.clock())) {
        if (await equalSecrets(share.secret_sha256, digest)) return this.#view(this.#row());
      }
      throw new ApiError("NOT_FOUND", "This link does not exist (any more).");
    });
  }

  // ---- live events -------------------------------------------------------------------------------------------

  /** Websocket only: identity and Origin were checked by the route. */
  override async fetch(request: Request): Promise<Response> {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return new Response(null, { status: 426 });
    const view = await this.view();
    if ("refused" in view) return new Response(null, { status: 404 });
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    server.send(JSON.stringify({ type: "project", project: view }));
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(): void {
    // Browsers say nothing but "ping", which is answered without waking this object.
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    // 1005 and 1006 are local codes and must not be sent.
    socket.close(code === 1005 || code === 1006 ? 1000 : code);
  }

  // ---- the alarm ---------------------------------------------------------------------------------------------

  override async alarm(): Promise<void> {
    const row = this.#store.row;
    if (row === undefined) return;
    // An alarm that throws is repeated a few times only: the next one is set before any work.
    await this.ctx.storage.setAlarm(this.clock() + 60_000);
    if (row.deleting_until !== null) return this.#exclusiveVoid(() => this.#sweep());
    this.#store.update({ hurry: false });
    await this.#confirmCancels();
    await this.#poll({ hook: false });
    await this.#apply({ type: "clock", attempt: this.#row().job.attempt });
    if (this.#row().index_dirty) await this.#tellIndex();
    await this.#arm();
  }

  // ---- inside ------------------------------------------------------------------------------------------------

  #row(): ProjectRow {
    const row = this.#store.row;
    if (row === undefined || row.deleting_until !== null) throw new ApiError("NOT_FOUND", "This project does not exist.");
    return row;
  }

  #changeable(): ProjectRow {
    const row = this.#row();
    if (ACTIVE.has(row.job.state)) {
      throw new ApiError("CONFLICT", `The project is ${row.job.state}; its photos cannot change while a job is under way.`, { hint: "Cancel the job first." });
    }
    return row;
  }

  #checkStart({ job }: ProjectRow, preset: Preset | null): Preset {
    if (preset === null && job.attempt === 0) {
      throw new ApiError("CONFLICT", "The project has no job to retry.", { hint: "Start one with a preset." });
    }
    if (ACTIVE.has(job.state)) throw new ApiError("CONFLICT", `The project is ${job.state} already.`);
    if (!STARTABLE.has(job.state)) checkPhotoSet(this.#store.photos(), this.#config().limits);
    return preset ?? job.preset ?? "preview";
  }

  #view(row: ProjectRow): ProjectView {
    return viewProject(row, this.#store.photoTotals());
  }

  /** Applies an event; stores, tells browsers and the index, and sets the alarm if anything changed. */
  async #apply(event: Event): Promise<void> {
    const row = this.#store.row;
    if (row === undefined) return;
    const confirmed = event.type === "completed" ? { ...event, report: await confirmArtifacts(this.env.BUCKET, row.id, event.report) } : event;
    const before = this.#store.row?.job ?? row.job;
    const job = transition(before, confirmed, this.clock());
    if (job === before) return this.#arm();
    this.#changed({ job });
    if (this.#store.row?.index_dirty === true) await this.#tellIndex();
    await this.#arm();
  }

  #changed(changes: Partial<Pick<ProjectRow, "name" | "job">>): void {
    const before = this.#store.row;
    const now = Math.max(this.clock(), (before?.updated_at ?? 0) + 1);
    const told = changes.job === undefined || changes.job.state !== before?.job.state;
    this.#store.update({ ...changes, updated_at: now, ...(told ? { index_dirty: true } : {}) });
    if (this.#store.row?.deleting_until === null) this.#broadcast();
  }

  #broadcast(): void {
    const sockets = this.ctx.getWebSockets();
    if (sockets.length === 0 || this.#store.row === undefined) return;
    const message = JSON.stringify({ type: "project", project: this.#view(this.#store.row) });
    for (const socket of sockets) {
      try {
        socket.send(message);
      } catch {
        // The other side is gone and its close event is on the way.
      }
    }
  }

  /** Tells the index the newest state and, once an attempt has ended, what it cost. What is told twice counts once. */
  async #tellIndex(): Promise<void> {
    const row = this.#store.row;
    if (row === undefined) return;
    const ended = FINAL.has(row.job.state) && row.job.attempt > 0 ? settlement(row.id, row.job, this.#config().price.usd_per_s) : null;
    try {
      if (row.deleting_until === null) await this.#index().record(this.#view(row), row.updated_at, ended);
      else if (ended !== null) await this.#index().settle(ended);
      if (this.#store.row?.updated_at === row.updated_at) this.#store.update({ index_dirty: false });
    } catch (error) {
      this.#store.update({ index_dirty: true });
      await this.#arm();
      console.error(`the index could not be told: ${String(error)}`);
    }
  }

  async #arm(): Promise<void> {
    const row = this.#store.row;
    if (row === undefined || row.deleting_until !== null) return;
    const now = this.clock();
    const due = nextAlarm(row.job, now, { askedAt: row.asked_at, hurry: row.hurry });
    const at = row.index_dirty ? Math.min(due ?? Number.POSITIVE_INFINITY, now + 10_000) : due;
    if (at === null) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(at);
  }

  /** Asks RunPod about the current attempt. An answer that does not come changes nothing but the next time to ask. */
  async #poll({ hook }: { readonly hook: boolean }): Promise<void> {
    const { id, job } = this.#row();
    if (!ACTIVE.has(job.state) || job.runpodId === null) return this.#arm();
    this.#store.update({ asked_at: this.clock(), hurry: false });
    try {
      const status = await this.#runpod().status(job.runpodId);
      const report = (): ReturnType<typeof readBucketReport> => readBucketReport(this.env.BUCKET, id, job.attempt);
      const event = await interpret(job, id, status, report, this.clock());
      // The webhook can be ahead of what /status says: look again soon.
      if (hook && (event.type === "in_queue" || event.type === "in_progress" || event.type === "progress")) this.#store.update({ hurry: true });
      await this.#apply(event);
    } catch (error) {
      if (!(error instanceof RunPodError)) throw error;
      if (hook) this.#store.update({ hurry: true });
      await this.#arm();
    }
  }

  async #adopt(hintedId: string): Promise<void> {
    const { id, job } = this.#row();
    try {
      const status = await this.#runpod().status(hintedId);
      if (provesAttempt(status, id, job.attempt)) await this.#apply({ type: "found", attempt: job.attempt, runpodId: hintedId });
    } catch (error) {
      if (!(error instanceof RunPodError)) throw error;
    }
  }

  async #confirmCancels(): Promise<void> {
    for (const runpodId of this.#store.row?.job.toCancel ?? []) {
      try {
        await this.#runpod().cancel(runpodId);
        await this.#apply({ type: "cancel_confirmed", runpodId });
      } catch (error) {
        if (!(error instanceof RunPodError)) throw error;
        await this.#arm();
      }
    }
  }

  /** One round of deletion: the job, the bytes, and, when nothing can be written any more, this object's own rows. */
  async #sweep(): Promise<void> {
    const row = this.#store.row;
    if (row?.deleting_until === undefined || row.deleting_until === null) return;
    await this.#confirmCancels();
    if (row.index_dirty) await this.#tellIndex();
    const prefix = keys.project(row.id);
    for (;;) {
      const { objects, truncated } = await this.env.BUCKET.list({ prefix, limit: DELETE_PAGE });
      if (objects.length > 0) await this.env.BUCKET.delete(objects.map(({ key }) => key));
      if (!truncated) break;
    }
    const now = this.clock();
    const pending = (this.#store.row?.job.toCancel.length ?? 0) > 0;
    if (now >= row.deleting_until && !pending) {
      await this.ctx.storage.deleteAlarm();
      await this.ctx.storage.deleteAll();
      this.#store.forget();
      return;
    }
    await this.ctx.storage.setAlarm(pending ? now + 10_000 : Math.min(now + SWEEP_EVERY_MS, Math.max(now + 1000, row.deleting_until)));
  }

  async #syncIfOpen(): Promise<void> {
    const row = this.#row();
    if (row.job.state === "uploading") await this.#sync();
  }

  async #sync(): Promise<void> {
    const row = this.#row();
    if (ACTIVE.has(row.job.state) || this.clock() - this.#syncedAt < SYNC_FRESH_MS) return;
    await this.#shelf().sync(row.id);
    this.#syncedAt = this.clock();
    this.#photosChanged();
    if (this.#row().index_dirty) await this.#tellIndex();
  }

  #photosChanged(): void {
    const before = this.#row().job;
    const { count, uploaded } = this.#store.photoTotals();
    const job = transition(before, { type: "photos", declared: count, uploaded }, this.clock());
    if (job !== before) this.#changed({ job });
  }

  /** A checkpoint knows the photos that it was made from; with others it is void. */
  async #dropCheckpoint(): Promise<void> {
    this.#syncedAt = 0;
    const { id, job } = this.#row();
    if (job.attempt > 0) await this.env.BUCKET.delete(keys.checkpoint(id));
  }

  #grantFits(grant: Grant): boolean {
    const row = this.#store.row;
    return row !== undefined && row.deleting_until === null && row.grant_nonce === grant.nonce && row.job.attempt === grant.attempt;
  }

  #config(): Settings {
    return (this.#settings ??= settingsOf(this.env));
  }

  #runpod(): RunPod {
    return new RunPod(this.#config().runpod);
  }

  #shelf(): PhotoShelf {
    return new PhotoShelf(this.#store, this.env.BUCKET, new Presigner(this.#config()));
  }

  #index(): Remote<Index> {
    return indexStub(this.env);
  }

  /** One at a time: starting, cancelling and deleting wait for each other, also across their calls to others. */
  #exclusive<T>(work: () => Promise<T>): Promise<T | Refusal> {
    const run = this.#tail.then(() => guard(work));
    this.#tail = run.catch(() => undefined);
    return run;
  }

  async #exclusiveVoid(work: () => Promise<void>): Promise<void> {
    await this.#exclusive(work);
  }
}

/** What an ended attempt cost: its report's price, else the time that its worker ran at the current rate. */
export function settlement(projectId: string, job: Job, usdPerS: number): Settlement {
  const ranS = job.startedAt === null || job.finishedAt === null ? 0 : (job.finishedAt - job.startedAt) / 1000;
  return {
    projectId,
    attempt: job.attempt,
    outcome: job.state === "done" ? "done" : job.state === "cancelled" ? "cancelled" : "failed",
    usd: job.report?.price.usd ?? roundUsd(ranS * usdPerS),
    seconds: job.report?.price.billed_s ?? null,
    stages: job.report?.stages ?? [],
  };
}

/** Turns an ApiError into plain data: a thrown error would lose its class on the way to the Worker. */
async function guard<T>(work: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiError) return error.toRefusal();
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
