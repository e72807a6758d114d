// One project's object: what may be asked of it, one method a question, and its alarm and websockets.
// Never trusts a hook's body, never holds two jobs at once; what follows from a change is project-core.ts.
import { DurableObject } from "cloudflare:workers";

import { ADOPT_MS, attemptTimes, submit, type AttemptPlan } from "./attempt.ts";
import type { Grant } from "./capability.ts";
import { hmac, randomBytes, randomToken, toBase64, toBase64Url } from "./crypto.ts";
import type { Env } from "./env.ts";
import { ApiError, isRefusal, type Refusal } from "./errors.ts";
import { estimate, roundUsd } from "./estimate.ts";
import type { Preset } from "./job-input.ts";
import { ACTIVE, STARTABLE } from "./job-state.ts";
import { checkPhotoSet, type Upload } from "./photo-shelf.ts";
import type { PhotoDeclaration } from "./photos.ts";
import { ProjectCore, guard } from "./project-core.ts";
import type { PhotoRow, ProjectRow } from "./project-store.ts";
import type { ProjectView } from "./project-view.ts";
import { ProgressSchema } from "./report.ts";
import { checkShare, createShare, listShares, revokeShare, type ListedShare, type NewShare } from "./share-book.ts";
import { verifySignedMessage, type SignatureVerdict } from "./signed-message.ts";

const SHARE_SECRET_BYTES = 24;
const ALARM_FALLBACK_MS = 60_000;

export class Project extends DurableObject<Env> {
  /** Replaced in tests. */
  clock: () => number = () => Date.now();
  readonly #core: ProjectCore;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#core = new ProjectCore(ctx, env, () => this.clock());
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  // ---- the project -------------------------------------------------------------------------------------------

  /** Made already (the same Idempotency-Key again): the project as it is, if it was asked for in the same words. */
  create(id: string, name: string): Promise<ProjectView | Refusal> {
    return guard(async () => {
      if (this.#core.store.row === undefined) this.#core.store.create(id, name, this.clock());
      if (this.#core.row().name !== name) {
        throw new ApiError("CONFLICT", "This Idempotency-Key has made a project of another name.");
      }
      await this.#core.tellIndex();
      return this.#core.view();
    });
  }

  view(): Promise<ProjectView | Refusal> {
    return guard(async () => {
      if (this.#core.row().job.state === "uploading") await this.#core.syncPhotos({ exact: false });
      return this.#core.view();
    });
  }

  rename(name: string): Promise<ProjectView | Refusal> {
    return guard(async () => {
      this.#core.row();
      this.#core.changed({ name });
      await this.#core.tellIndex();
      return this.#core.view();
    });
  }

  /** Makes the project unreachable at once; its bytes and its job are gone when the alarms have done their work. */
  remove(): Promise<null | Refusal> {
    return this.#exclusive(async () => {
      await this.#core.beginDeletion();
      return null;
    });
  }

  // ---- photos ------------------------------------------------------------------------------------------------

  declarePhotos(declared: readonly PhotoDeclaration[]): Promise<Upload[] | Refusal> {
    return guard(async () => {
      const { id } = this.#changeable();
      const uploads = await this.#core.shelf.declare(id, declared, this.#core.settings.limits, this.clock());
      await this.#core.photosChanged();
      return uploads;
    });
  }

  photos(): Promise<PhotoRow[] | Refusal> {
    return guard(async () => {
      await this.#core.syncPhotos({ exact: true });
      return this.#core.store.photos();
    });
  }

  deletePhoto(as: string): Promise<null | Refusal> {
    return guard(async () => {
      const { id } = this.#changeable();
      await this.#core.shelf.delete(id, as);
      await this.#core.photosChanged();
      return null;
    });
  }

  /** Looks at first bytes of uploaded photos, at most `max` a call; returns how many are left (0: none). */
  sniffPhotos(max: number): Promise<number | Refusal> {
    return guard(async () => {
      await this.#core.syncPhotos({ exact: true });
      return this.#core.shelf.sniff(this.#core.row().id, max);
    });
  }

  // ---- jobs --------------------------------------------------------------------------------------------------

  /**
   * preset null: the one of the attempt before (retry).
   * startKey: the same one again, whoever sent it, starts nothing and answers the project.
   */
  start(preset: Preset | null, startKey: string | null = null): Promise<ProjectView | Refusal> {
    return this.#exclusive(async () => {
      const core = this.#core;
      if (startKey !== null && core.row().start_key === startKey) return core.view();
      await core.syncPhotos({ exact: true });
      // What the attempt before cost must be booked before the next one takes its place.
      if (core.row().index_dirty) await core.tellIndex();
      const chosen = this.#checkStart(core.row(), preset);
      const photos = core.store.photos();
      const { settings } = core;
      checkPhotoSet(photos, settings.limits);
      const now = this.clock();
      const plan = this.#plan(chosen, photos, now);
      const { usd } = estimate(chosen, photos.length, await core.index.samples(), settings.price);
      const reserved = await core.index.reserve({
        projectId: plan.projectId,
        attempt: plan.attempt,
        preset: chosen,
        photos: photos.length,
        usd,
        expiresAt: plan.deadlineAt,
      });
      if (isRefusal(reserved)) return reserved;
      // From here on the attempt exists, whatever happens to this object: nonce, deadline and alarm come before the call.
      core.store.update({ grant_nonce: plan.nonce, progress_secret: plan.progressSecret, start_key: startKey, asked_at: now, hurry: false });
      await core.apply({ type: "start", preset: chosen, deadlineAt: plan.deadlineAt });
      await core.apply({ type: "submit_unknown", attempt: plan.attempt, adoptUntil: now + ADOPT_MS });
      await core.apply(await submit({ ...plan, usdMax: roundUsd(reserved.usdLeft) }, settings, core.runpod, this.clock));
      return core.view();
    });
  }

  cancel(): Promise<ProjectView | Refusal> {
    return this.#exclusive(async () => {
      const { job } = this.#core.row();
      if (!ACTIVE.has(job.state)) {
        throw new ApiError("CONFLICT", `The project is ${job.state}; only a queued or running job can be cancelled.`);
      }
      await this.#core.apply({ type: "cancel" });
      await this.#core.confirmCancels();
      return this.#core.view();
    });
  }

  // ---- hooks -------------------------------------------------------------------------------------------------

  /**
   * RunPod says that something happened: look. hintedId: the id that its body names.
   * Returns false if the grant is not of the current attempt.
   */
  async onRunPodHook(grant: Grant, hintedId: string | null): Promise<boolean> {
    if (!this.#grantFits(grant)) return false;
    const { job } = this.#core.row();
    if (!ACTIVE.has(job.state)) return true;
    if (job.runpodId === null) {
      this.#core.store.update({ hurry: true });
      if (hintedId !== null) await this.#core.adopt(hintedId);
    }
    await this.#core.poll({ hook: true });
    return true;
  }

  /** A worker's signed progress. */
  async onProgress(grant: Grant, headers: Record<string, string>, body: string): Promise<SignatureVerdict | "unknown" | "unreadable"> {
    if (!this.#grantFits(grant)) return "unknown";
    const { id, progress_secret } = this.#core.row();
    const verdict = await verifySignedMessage(progress_secret ?? "", new Headers(headers), body, this.clock());
    if (verdict !== "ok") return verdict;
    const parsed = ProgressSchema.safeParse(parseJson(body));
    if (!parsed.success || parsed.data.project_id !== id || parsed.data.attempt !== grant.attempt) return "unreadable";
    const { seq, stage, fraction, message, eta_s, preview, attempt } = parsed.data;
    const at = new Date(this.clock()).toISOString();
    const progress = { stage, fraction, message, eta_s: eta_s ?? null, preview: preview ?? null, at };
    await this.#core.apply({ type: "progress", attempt, seq, progress });
    return "ok";
  }

  // ---- shares ------------------------------------------------------------------------------------------------

  /** seed: an Idempotency-Key's; the same again answers the same link. */
  createShare(expiresInS: number | null, seed: string | null): Promise<NewShare | Refusal> {
    return guard(async () => {
      const { id } = this.#core.row();
      const secret = seed === null ? randomToken(SHARE_SECRET_BYTES) : await this.#derivedSecret(`share\n${id}\n${seed}`);
      return createShare(this.#core.store, id, secret, expiresInS, this.clock());
    });
  }

  shares(): Promise<ListedShare[] | Refusal> {
    return guard(async () => {
      this.#core.row();
      return listShares(this.#core.store, this.clock());
    });
  }

  deleteShare(id: string): Promise<null | Refusal> {
    return guard(async () => {
      this.#core.row();
      revokeShare(this.#core.store, id);
      return null;
    });
  }

  /** The project for the holder of a share's secret. */
  openShare(secret: string): Promise<ProjectView | Refusal> {
    return guard(async () => {
      await checkShare(this.#core.store, secret, this.clock());
      return this.#core.view();
    });
  }

  // ---- live events -------------------------------------------------------------------------------------------

  /** Websocket only: identity and Origin were checked by the route. */
  override async fetch(request: Request): Promise<Response> {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return new Response(null, { status: 426 });
    const view = await this.view();
    if (isRefusal(view)) return new Response(null, { status: 404 });
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
    const core = this.#core;
    const row = core.store.row;
    if (row === undefined) return;
    // An alarm that throws is repeated a few times only: the next one is set before any work.
    await this.ctx.storage.setAlarm(this.clock() + ALARM_FALLBACK_MS);
    if (row.deleting_until !== null) {
      await this.#exclusive(() => core.sweep());
      return;
    }
    core.store.update({ hurry: false });
    await core.confirmCancels();
    await core.poll({ hook: false });
    await core.apply({ type: "clock", attempt: core.store.row?.job.attempt ?? 0 });
    if (core.store.row?.index_dirty === true) await core.tellIndex();
    await core.arm();
  }

  // ---- inside ------------------------------------------------------------------------------------------------

  #changeable(): ProjectRow {
    const row = this.#core.row();
    if (ACTIVE.has(row.job.state)) {
      throw new ApiError("CONFLICT", `The project is ${row.job.state}; its photos cannot change while a job is under way.`, { hint: "Cancel the job first." });
    }
    return row;
  }

  #checkStart({ job }: ProjectRow, preset: Preset | null): Preset {
    if (ACTIVE.has(job.state)) throw new ApiError("CONFLICT", `The project is ${job.state} already.`);
    // Before the first attempt the photos say best what is missing.
    if (!STARTABLE.has(job.state)) checkPhotoSet(this.#core.store.photos(), this.#core.settings.limits);
    const chosen = preset ?? job.preset;
    if (chosen === null) throw new ApiError("CONFLICT", "The project has no job to retry.", { hint: "Start one with a preset." });
    return chosen;
  }

  #plan(preset: Preset, photos: readonly PhotoRow[], now: number): AttemptPlan {
    const { id, job } = this.#core.row();
    return {
      projectId: id,
      attempt: job.attempt + 1,
      preset,
      photos,
      nonce: randomToken(16),
      progressSecret: `whsec_${toBase64(randomBytes(32))}`,
      deadlineAt: now + attemptTimes(this.#core.settings.limits.job_seconds_max).deadlineS * 1000,
      now,
      usdMax: null,
    };
  }

  async #derivedSecret(seed: string): Promise<string> {
    const mac = await hmac(this.#core.settings.hookKeys[0] ?? "", `splat-derived-v1\n${seed}`);
    return toBase64Url(new Uint8Array(mac).subarray(0, SHARE_SECRET_BYTES));
  }

  #grantFits(grant: Grant): boolean {
    const row = this.#core.store.row;
    return row !== undefined && row.deleting_until === null && row.grant_nonce === grant.nonce && row.job.attempt === grant.attempt;
  }

  /** One at a time: starting, cancelling and deleting wait for each other, also across their calls to others. */
  #exclusive<T>(work: () => Promise<T>): Promise<T | Refusal> {
    const run = this.#tail.then(() => guard(work));
    this.#tail = run.catch(() => undefined);
    return run;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
