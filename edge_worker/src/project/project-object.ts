// One project's object: what may be asked of it, one method a question, and its alarm and websockets.
// Never trusts a hook's body, never holds two jobs at once; what follows from a change is project-core.ts.
import { DurableObject } from "cloudflare:workers";

import type { Upload } from "../../shared/contracts/api.ts";
import { ProgressSchema } from "../../shared/contracts/job-report.ts";
import type { Project as ProjectView } from "../../shared/contracts/project.ts";
import { ACTIVE, type Preset } from "../../shared/stages.ts";
import { estimate, roundUsd } from "../account/estimate.ts";
import { hmac, randomBytes, randomToken, sha256Hex, toBase64, toBase64Url } from "../crypto.ts";
import type { Env } from "../env.ts";
import { ApiError, isRefusal, type Refusal } from "../errors.ts";
import type { Grant } from "../identity/capability.ts";
import { verifySignedMessage, type SignatureVerdict } from "../identity/signed-message.ts";
import { parseJson } from "../schema.ts";
import { ADOPT_MS, attemptTimes, submit, type AttemptPlan } from "./attempt.ts";
import { ProjectCore, guard, type WatchTerms } from "./core.ts";
import { STARTABLE } from "./job-state.ts";
import { checkPhotoSet } from "./photo-shelf.ts";
import type { PhotoDeclaration } from "./photos.ts";
import { checkShare, createShare, findShare, listShares, revokeShare, type ListedShare, type NewShare } from "./share-book.ts";
import type { Once, PhotoRow, ProjectRow } from "./store.ts";
import { WATCH_UNTIL_HEADER } from "./view.ts";

const SHARE_SECRET_BYTES = 24;
const ALARM_FALLBACK_MS = 60_000;
/** Photos that may have arrived between the route's looks at first bytes and the start; within the free plan's subrequests. */
const SNIFF_LEFT_MAX = 20;
const NEW_KEY = "Send a new Idempotency-Key.";

export class Project extends DurableObject<Env> {
  /** Replaced in tests. */
  clock: () => number = () => Date.now();
  readonly #core: ProjectCore;
  /** A job is being started: the photos that it was planned with must not change before it has begun. */
  #starting = false;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#core = new ProjectCore(ctx, env, () => this.clock());
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  // ---- the project -------------------------------------------------------------------------------------------

  /** Made already (the same Idempotency-Key again): the project as it is now, if it was asked for in the same words. */
  create(id: string, name: string): Promise<ProjectView | Refusal> {
    return guard(async () => {
      const { store } = this.#core;
      if (store.row === undefined) {
        store.create(id, name, this.clock());
        store.remember("create", id, { asked: name, answer: id }, this.clock());
      } else if (store.row.deleting_until !== null) {
        throw new ApiError("CONFLICT", "This Idempotency-Key has made a project that was deleted.", { hint: NEW_KEY });
      } else {
        sameQuestion(store.recall("create", id), name);
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

  /** caller: whose bytes of the day these are. onceKey: the same one again answers the same photos, with fresh addresses. */
  declarePhotos(declared: readonly PhotoDeclaration[], caller: string, onceKey: string | null = null): Promise<Upload[] | Refusal> {
    return guard(async () => {
      const { store, shelf, settings, index } = this.#core;
      const { id } = this.#changeable();
      const asked = await sha256Hex(JSON.stringify(declared));
      const known = onceKey === null ? null : sameQuestion(store.recall("photos", onceKey), asked);
      if (known !== null) {
        const names = new Set(JSON.parse(known) as string[]);
        return shelf.sign(id, store.photos().filter(({ as }) => names.has(as)), this.clock());
      }
      const bytes = shelf.plan(declared, settings.limits).added.reduce((sum, photo) => sum + photo.bytes, 0);
      const refusal = bytes === 0 ? null : await index.grantUpload(caller, bytes);
      if (refusal !== null) return refusal;
      // Others had their turn meanwhile: a job may have started, numbers may have been given.
      this.#changeable();
      const plan = shelf.plan(declared, settings.limits);
      shelf.add(plan);
      if (onceKey !== null) store.remember("photos", onceKey, { asked, answer: JSON.stringify(plan.photos.map(({ as }) => as)) }, this.clock());
      const uploads = await shelf.sign(id, plan.photos, this.clock());
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
   * onceKey: the same one again starts nothing and answers the project.
   */
  start(preset: Preset | null, onceKey: string | null = null): Promise<ProjectView | Refusal> {
    return this.#exclusive(async () => {
      this.#starting = true;
      try {
        return await this.#start(preset, onceKey);
      } finally {
        this.#starting = false;
      }
    });
  }

  async #start(preset: Preset | null, onceKey: string | null): Promise<ProjectView | Refusal> {
    const core = this.#core;
    const asked = preset ?? "the preset of the attempt before";
    core.row();
    if (onceKey !== null && sameQuestion(core.store.recall("start", onceKey), asked) !== null) return core.view();
    await core.syncPhotos({ exact: true });
    if ((await core.shelf.sniff(core.row().id, SNIFF_LEFT_MAX)) > 0) {
      throw new ApiError("CONFLICT", "Photos arrived while the job was being started.", { hint: "Start it again." });
    }
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
    core.store.update({ grant_nonce: plan.nonce, progress_secret: plan.progressSecret, asked_at: now, hurry: false });
    if (onceKey !== null) core.store.remember("start", onceKey, { asked, answer: String(plan.attempt) }, now);
    await core.apply({ type: "start", preset: chosen, deadlineAt: plan.deadlineAt });
    await core.apply({ type: "submit_unknown", attempt: plan.attempt, adoptUntil: now + ADOPT_MS });
    await core.apply(await submit({ ...plan, usdMax: roundUsd(reserved.usdLeft) }, settings, core.runpod, this.clock));
    return core.view();
  }

  /** reason: what the project's people are told, where it was not they who cancelled. */
  cancel(reason?: string): Promise<ProjectView | Refusal> {
    return this.#exclusive(async () => {
      const { job } = this.#core.row();
      if (!ACTIVE.has(job.state)) {
        throw new ApiError("CONFLICT", `The project is ${job.state}; only a queued or running job can be cancelled.`);
      }
      await this.#core.apply({ type: "cancel", ...(reason === undefined ? {} : { reason }) });
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

  /** onceKey: the same one again answers the same link, whose secret is derived from it and so needs no keeping. */
  createShare(expiresInS: number | null, onceKey: string | null): Promise<NewShare | Refusal> {
    return guard(async () => {
      const { store, settings } = this.#core;
      const { id } = this.#core.row();
      if (onceKey === null) return createShare(store, id, randomToken(SHARE_SECRET_BYTES), expiresInS, this.clock());
      const asked = String(expiresInS);
      const secrets = await Promise.all(settings.hookKeys.map((key) => derivedSecret(key, `share\n${id}\n${onceKey}`)));
      const made = sameQuestion(store.recall("share", onceKey), asked);
      if (made !== null) return await findShare(store, id, made, secrets, this.clock());
      const share = await createShare(store, id, secrets[0] ?? "", expiresInS, this.clock());
      store.remember("share", onceKey, { asked, answer: share.id }, this.clock());
      return share;
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
    const until = request.headers.get(WATCH_UNTIL_HEADER) ?? "";
    server.serializeAttachment({ until: until === "" ? null : Number(until) } satisfies WatchTerms);
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
    const { deadlineAt } = core.store.row?.job ?? { deadlineAt: null };
    // A worker that has delivered everything and then hangs has done its job all the same.
    if (deadlineAt !== null && this.clock() >= deadlineAt) await core.takeFromBucket();
    await core.apply({ type: "clock", attempt: core.store.row?.job.attempt ?? 0 });
    if (core.store.row?.index_dirty === true) await core.tellIndex();
    await core.arm();
  }

  // ---- inside ------------------------------------------------------------------------------------------------

  #changeable(): ProjectRow {
    const row = this.#core.row();
    if (this.#starting) throw new ApiError("CONFLICT", "A job is being started; its photos cannot change.", { hint: "Cancel the job first." });
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

async function derivedSecret(keyBase64: string, seed: string): Promise<string> {
  const mac = await hmac(keyBase64, `splat-derived-v1\n${seed}`);
  return toBase64Url(new Uint8Array(mac).subarray(0, SHARE_SECRET_BYTES));
}

/** The answer that a key was given before, null for a new key; a key that comes back with another question is refused. */
function sameQuestion(known: Once | undefined, asked: string): string | null {
  if (known === undefined) return null;
  if (known.asked !== asked) throw new ApiError("CONFLICT", "This Idempotency-Key was used before, for something else.", { hint: NEW_KEY });
  return known.answer;
}
