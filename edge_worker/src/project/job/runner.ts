// The jobs of one project: started, followed at RunPod, ended. One attempt at a time.
// Never trusts the body of a hook: RunPod is asked, and every answer goes through the record as an event.
import { UNEDITED, changesFiles } from "../../../shared/contracts/edit.ts";
import type { ExtraName } from "../../../shared/contracts/job-input.ts";
import { ProgressSchema } from "../../../shared/contracts/job-report.ts";
import { ACTIVE, FINAL, type Preset } from "../../../shared/stages.ts";
import { estimate, estimateEdit, roundUsd } from "../../account/estimate.ts";
import { checkCard } from "../../account/quota.ts";
import { RunPod, RunPodError, asJobId, type RemoteStatus } from "../../clients/runpod.ts";
import { randomBytes, randomToken, toBase64 } from "../../crypto.ts";
import type { Env } from "../../env.ts";
import { ApiError, isRefusal, type Refusal } from "../../errors.ts";
import type { Grant } from "../../identity/capability.ts";
import { rejectionOf } from "../../identity/signed-message.ts";
import { parseJson } from "../../schema.ts";
import { settingsOf, type Settings } from "../../settings.ts";
import type { EditBook } from "../edit-book.ts";
import { earlierAnswer } from "../once.ts";
import { checkPhotoSet, photosIn, type PhotoRow } from "../photos/rules.ts";
import type { PhotoShelf } from "../photos/shelf.ts";
import type { ProjectRecord } from "../record.ts";
import type { ProjectRow, ProjectStore } from "../store.ts";
import { ADOPT_MS, attemptTimes, interpret, provesAttempt, readBucketReport, submit } from "./attempt.ts";
import type { AttemptPlan } from "./input.ts";
import type { Failure } from "./outcome.ts";
import { STARTABLE, isWaiting, type EditOrder, type Job, type Notice } from "./state.ts";

/** Photos that may have arrived between the route's checks of first bytes and the start; within the free plan's subrequests. */
const SNIFF_LEFT_MAX = 20;

/** `ended`: nobody waits for the attempt any more, its worker must stop. `unknown`: the grant is not of this project's attempts. */
export type ProgressVerdict = "ok" | "ended" | "unknown" | "unreadable" | { readonly rejected: string };

const NO_WORKER_CAN_START: Notice = {
  message: "No worker can start: the endpoint has none.",
  hint: "The job waits. Contact whoever runs this service.",
  until: null,
};

/** Throws before anything is spent where the estimate is above what the caller allows. */
function checkCeiling(usd: number, usdMax: number | null): void {
  if (usdMax === null || usd <= usdMax) return;
  throw new ApiError("BUDGET_EXCEEDED", `This job is estimated at $${usd}, above its own limit of $${usdMax}.`, {
    hint: "Choose a smaller preset or fewer photos, or allow more.",
  });
}

/** A scene from the photos; the same as before; or the shown scene's edit applied, and these files made besides. */
export type Wish = { readonly preset: Preset } | { readonly again: true } | { readonly also: readonly ExtraName[] };

/** edit null: a scene is made from the photos. */
interface Order {
  readonly preset: Preset;
  readonly edit: EditOrder | null;
}

/** What an edit is made from, besides the report. */
const NEEDED = ["scene.ply", "cameras.json"] as const;

const gaussiansOf = ({ edit }: Order): number | null => edit?.gaussians ?? null;

function wordsOf(wish: Wish): string {
  if ("again" in wish) return "the preset of the attempt before";
  return "preset" in wish ? wish.preset : `the edit${wish.also.map((name) => `, also ${name}`).join("")}`;
}

interface Parts {
  readonly store: ProjectStore;
  readonly record: ProjectRecord;
  readonly shelf: PhotoShelf;
  readonly edits: EditBook;
}

export class JobRunner {
  readonly #env: Env;
  readonly #store: ProjectStore;
  readonly #record: ProjectRecord;
  readonly #shelf: PhotoShelf;
  readonly #edits: EditBook;

  constructor(env: Env, { store, record, shelf, edits }: Parts) {
    this.#env = env;
    this.#store = store;
    this.#record = record;
    this.#shelf = shelf;
    this.#edits = edits;
  }

  get #settings(): Settings {
    return settingsOf(this.#env);
  }

  /**
   * Asks the endpoints that may hold a job of this project, the newest attempt's own first, until one knows it. Returns
   * an answer of one that does not if none does. A replaced endpoint that refuses to answer is gone.
   */
  async #ask<T>(question: (runpod: RunPod) => Promise<T>, isKnown: (answer: T) => boolean): Promise<T> {
    const { runpod } = this.#settings;
    let answer: T | undefined;
    for (const endpointId of new Set([...this.#stored().job.endpoints, runpod.endpointId])) {
      try {
        answer = await question(new RunPod({ ...runpod, endpointId }));
        if (isKnown(answer)) return answer;
      } catch (error) {
        if (endpointId === runpod.endpointId || !(error instanceof RunPodError) || error.kind !== "refused") throw error;
      }
    }
    return answer as T; // the deployed endpoint has answered, or its error was thrown
  }

  #status(runpodId: string): Promise<RemoteStatus> {
    return this.#ask((runpod) => runpod.status(runpodId), ({ kind }) => kind !== "gone");
  }

  /**
   * Starts an attempt, or returns the account's refusal. Again: as the attempt before, and within its usdMax unless another
   * is given. onceKey: the same key again starts nothing.
   */
  async start(wish: Wish, onceKey: string | null, usdMax: number | null = null): Promise<Refusal | null> {
    this.#record.starting = true;
    try {
      return await this.#start(wish, onceKey, usdMax);
    } finally {
      this.#record.starting = false;
    }
  }

  async #start(wish: Wish, onceKey: string | null, usdMaxAsked: number | null): Promise<Refusal | null> {
    const record = this.#record;
    const asked = `${wordsOf(wish)}${usdMaxAsked === null ? "" : `, at most ${usdMaxAsked} USD`}`;
    const usdMax = usdMaxAsked ?? ("again" in wish ? record.row().job.usdMax : null);
    record.row();
    if (earlierAnswer(this.#store, "start", onceKey, asked) !== null) return null;
    if (!("also" in wish)) {
      await this.#shelf.sync({ exact: true });
      if ((await this.#shelf.sniff(SNIFF_LEFT_MAX)) > 0) {
        throw new ApiError("CONFLICT", "Photos arrived while the job was starting.", { hint: "Start it again." });
      }
    }
    // The cost of the attempt before must be booked before the next one takes its place.
    await record.updateIndexIfStale();
    const order = this.#order(wish);
    const photos = this.#store.photos();
    if (order.edit === null) {
      checkPhotoSet(photos, this.#settings.limits);
      const misfit = checkCard(order.preset, photos.length, this.#settings.card);
      if (misfit !== null) return misfit;
    }
    const plan = this.#plan(order, photos, Date.now());
    const usd = await this.#usdOf(order, photos);
    checkCeiling(usd, usdMax);
    const { projectId, attempt, deadlineAt: expiresAt } = plan;
    const reserved = await record.index.reserve({ projectId, attempt, preset: order.preset, photos: photosIn(photos), gaussians: gaussiansOf(order), usd, expiresAt });
    if (isRefusal(reserved)) return reserved;
    if ("place" in reserved) {
      if (onceKey !== null) this.#store.remember("start", onceKey, { asked, answer: String(attempt) }, plan.now);
      await record.apply({ type: "wait", ...order, usdMax, place: reserved.place });
      return null;
    }
    // From here on the attempt exists, whatever happens to this object: nonce, deadline and alarm come before the call.
    this.#store.update({ grant_nonce: plan.nonce, progress_secret: plan.progressSecret, asked_at: plan.now, hurry: false });
    if (onceKey !== null) this.#store.remember("start", onceKey, { asked, answer: String(attempt) }, plan.now);
    await record.apply({ type: "start", ...order, usdMax, deadlineAt: plan.deadlineAt });
    await this.#submit({ ...plan, usdMax }, reserved.usdLeft);
    return null;
  }

  async #submit(plan: AttemptPlan, usdLeft: number): Promise<void> {
    const { runpod } = this.#settings;
    await this.#record.apply({ type: "submit_unknown", attempt: plan.attempt, adoptUntil: plan.now + ADOPT_MS, endpoint: runpod.endpointId });
    await this.#record.apply(await submit({ ...plan, usdMax: roundUsd(Math.min(usdLeft, plan.usdMax ?? usdLeft)) }, this.#settings, new RunPod(runpod)));
  }

  /** An attempt in the account's queue asks whether it is its turn: submitted, still waiting, or ended by a limit. */
  async takeTurn(): Promise<void> {
    const { id: projectId, job } = this.#record.row();
    const { attempt, preset, usdMax } = job;
    if (!isWaiting(job) || preset === null) return;
    const order: Order = { preset, edit: job.edit ?? null };
    const photos = this.#store.photos();
    const plan = { ...this.#plan(order, photos, Date.now()), attempt, usdMax };
    const usd = await this.#usdOf(order, photos);
    const reserved = await this.#record.index.reserve({ projectId, attempt, preset, photos: photosIn(photos), gaussians: gaussiansOf(order), usd, expiresAt: plan.deadlineAt });
    if (isRefusal(reserved)) {
      return this.#record.apply({ type: "failed", attempt, failure: { code: "LIMIT", message: reserved.message, hint: reserved.hint ?? null, stage: null } });
    }
    if ("place" in reserved) return this.#record.apply({ type: "place", attempt, place: reserved.place });
    this.#store.update({ grant_nonce: plan.nonce, progress_secret: plan.progressSecret, asked_at: plan.now, hurry: false });
    await this.#record.apply({ type: "turn", attempt, deadlineAt: plan.deadlineAt });
    await this.#submit(plan, reserved.usdLeft);
  }

  /** reason: what people see, where they did not cancel it themselves. */
  async cancel(reason?: string): Promise<void> {
    const { job } = this.#record.row();
    if (!ACTIVE.has(job.state)) throw new ApiError("CONFLICT", `Only a queued or running job can be cancelled. This project is ${job.state}.`);
    await this.#record.apply({ type: "cancel", ...(reason === undefined ? {} : { reason }) });
    await this.confirmCancels();
  }

  /**
   * RunPod reports that something happened: ask it. hintedId: the id that its body names.
   * Returns false if the grant is not of the current attempt.
   */
  async onRunPodHook(grant: Grant, hintedId: string | null): Promise<boolean> {
    const fits = this.#grantFits(grant);
    const { row } = this.#store;
    if (row === undefined || (!fits && !this.#isOfThePast(grant))) return false;
    await this.#noteHook(row.id, grant.attempt);
    const { job } = row;
    if (!fits || FINAL.has(job.state)) {
      if (hintedId !== null && job.runpodId !== hintedId) await this.#stopLate(grant.attempt, hintedId);
      return fits && row.deleting_until === null;
    }
    if (!ACTIVE.has(job.state)) return true;
    if (job.runpodId === null) {
      this.#store.update({ hurry: true });
      if (hintedId !== null) await this.#adopt(grant.attempt, hintedId);
    }
    await this.#poll({ hook: true });
    return true;
  }

  /** A worker's signed progress. */
  async onProgress(grant: Grant, headers: Record<string, string>, body: string): Promise<ProgressVerdict> {
    const parsed = ProgressSchema.safeParse(parseJson(body));
    const message = parsed.success ? parsed.data : null;
    const runpodId = asJobId(message?.runpod_id);
    if (this.#isOfThePast(grant)) {
      // Its secret is gone: RunPod is asked whose job it is before the job is cancelled.
      if (runpodId !== null) await this.#stopLate(grant.attempt, runpodId);
      return "ended";
    }
    if (!this.#grantFits(grant)) return "unknown";
    const { id, progress_secret, job } = this.#stored();
    const rejected = rejectionOf(progress_secret ?? "", headers, body);
    if (rejected !== null) {
      // The address is genuine, so the worker's clock may be wrong: RunPod is asked whose job it is.
      if (!ACTIVE.has(job.state)) {
        if (runpodId !== null) await this.#stopLate(grant.attempt, runpodId);
        return "ended";
      }
      if (runpodId !== null && job.runpodId === null) await this.#adopt(grant.attempt, runpodId);
      return { rejected };
    }
    if (message === null || message.project_id !== id || message.attempt !== grant.attempt) return "unreadable";
    const { seq, stage, fraction, message: text, eta_s, preview, cameras, attempt } = message;
    const isOver = !ACTIVE.has(job.state);
    if (runpodId !== null && job.runpodId === null) await this.#record.apply({ type: "found", attempt, runpodId });
    if (isOver) {
      await this.#bookLate(attempt);
      await this.confirmCancels();
      return "ended";
    }
    const progress = { stage, fraction, message: text, eta_s: eta_s ?? null, preview: preview ?? null, cameras: cameras ?? null, at: new Date().toISOString() };
    await this.#record.apply({ type: "progress", attempt, seq, progress });
    return "ok";
  }

  /** The alarm: everything that may be due for the current attempt. */
  async wake(): Promise<void> {
    this.#store.update({ hurry: false });
    await this.confirmCancels();
    await this.#submitAgain();
    if (!this.waits()) await this.#poll({ hook: false });
    await this.#endIfStopped();
    const { deadlineAt } = this.#store.row?.job ?? { deadlineAt: null };
    // A worker that has delivered everything and then hangs has still done its job.
    if (deadlineAt !== null && Date.now() >= deadlineAt) await this.#takeFromBucket();
    await this.#record.apply({ type: "clock", attempt: this.#store.row?.job.attempt ?? 0 });
    await this.#record.updateIndexIfStale();
    await this.#record.arm();
  }

  /** Whether the attempt is in the account's queue. */
  waits(): boolean {
    const job = this.#store.row?.job;
    return job !== undefined && isWaiting(job);
  }

  async confirmCancels(): Promise<void> {
    for (const runpodId of this.#store.row?.job.toCancel ?? []) {
      try {
        await this.#ask((runpod) => runpod.cancel(runpodId), (isKnown) => isKnown);
        const { attempt, runpodId: own, startedAt } = this.#stored().job;
        // A job that had started ran until now, however long its cancel was not accepted.
        if (runpodId === own && startedAt !== null) await this.#bookLate(attempt);
        await this.#record.apply({ type: "cancel_confirmed", runpodId });
      } catch (error) {
        if (!(error instanceof RunPodError)) throw error;
        await this.#record.arm();
      }
    }
  }

  /**
   * Asks RunPod about the current attempt. Where it cannot be asked (no id, or no answer), a report in the bucket shows
   * that the worker is done; without one nothing changes but the next time to ask.
   */
  async #poll({ hook }: { readonly hook: boolean }): Promise<void> {
    const { id, job } = this.#record.row();
    if (!ACTIVE.has(job.state)) return this.#record.arm();
    this.#store.update({ asked_at: Date.now(), hurry: false });
    if (job.retryAt !== null) return this.#record.arm();
    if (job.runpodId === null) return this.#takeFromBucket();
    try {
      const status = await this.#status(job.runpodId);
      const event = await interpret(job, id, status, () => readBucketReport(this.#env.BUCKET, id, job.attempt), Date.now());
      // The webhook can be ahead of /status: ask again soon.
      if (hook && (event.type === "in_queue" || event.type === "in_progress" || event.type === "progress")) this.#store.update({ hurry: true });
      await this.#record.apply(event);
    } catch (error) {
      if (!(error instanceof RunPodError)) throw error;
      if (hook) this.#store.update({ hurry: true });
      await this.#takeFromBucket();
    }
  }

  /** A job that no worker will take ends as soon as the account knows it: without a waiting job RunPod starts no more workers. */
  async #endIfStopped(): Promise<void> {
    const { job } = this.#record.row();
    if (job.state !== "queued") return;
    const { stopped, noWorker } = await this.#record.index.watchStarts();
    await this.#record.apply({ type: "workers", attempt: job.attempt, notice: noWorker ? NO_WORKER_CAN_START : null });
    if (stopped === null) return;
    const failure: Failure = { code: "UPSTREAM", message: `No GPU worker took the job. ${stopped.reason}`, hint: "Contact whoever runs this service.", stage: null };
    await this.#record.apply({ type: "failed", attempt: job.attempt, failure, stop: true });
    await this.confirmCancels();
  }

  /** Ends the current attempt by the report that its worker left in the bucket, if there is one. */
  async #takeFromBucket(): Promise<void> {
    const { id, job } = this.#record.row();
    const report = ACTIVE.has(job.state) ? await readBucketReport(this.#env.BUCKET, id, job.attempt) : null;
    if (report === null) return this.#record.arm();
    await this.#record.apply({ type: "completed", attempt: job.attempt, report });
  }

  /** An id that a hook's body names becomes an attempt's only if RunPod itself confirms whose job it is. */
  async #adopt(attempt: number, hintedId: string): Promise<void> {
    try {
      const status = await this.#status(hintedId);
      if (provesAttempt(status, this.#stored().id, attempt)) await this.#record.apply({ type: "found", attempt, runpodId: hintedId });
    } catch (error) {
      if (!(error instanceof RunPodError)) throw error;
    }
  }

  /** A job of an attempt that has ended is still heard from: cancels it, and books its time. */
  async #stopLate(attempt: number, hintedId: string): Promise<void> {
    if (this.#store.row === undefined) return;
    await this.#adopt(attempt, hintedId);
    if (!this.#stored().job.toCancel.includes(hintedId)) return;
    await this.#bookLate(attempt);
    await this.confirmCancels();
  }

  /** Books the time that the worker of an ended attempt ran on. A failure is not fatal: the next sign of it books the same time. */
  async #bookLate(attempt: number): Promise<void> {
    try {
      await this.#record.updateIndexIfStale();
      await this.#record.index.ranOn(this.#stored().id, attempt);
    } catch (error) {
      console.error(`time after the end of attempt ${attempt} not booked: ${String(error)}`);
    }
  }

  /** For operators: webhooks that never come are an alert. Without it the job goes on all the same. */
  async #noteHook(projectId: string, attempt: number): Promise<void> {
    try {
      await this.#record.index.hooked(projectId, attempt);
    } catch (error) {
      console.error(`webhook of attempt ${attempt} not counted: ${String(error)}`);
    }
  }

  /** The submission that RunPod was too busy to take, again. Its outcome is unknown until the answer, as in `start`. */
  async #submitAgain(): Promise<void> {
    const isDue = ({ state, retryAt }: Job): boolean => state === "queued" && retryAt !== null && Date.now() >= retryAt;
    const { id, job } = this.#record.row();
    if (!isDue(job) || job.preset === null) return;
    const photos = this.#store.photos();
    const { attempt, preset, usdMax } = job;
    const order: Order = { preset, edit: job.edit ?? null };
    // Counted already: this only asks what is left of the budget.
    const reserved = await this.#record.index.reserve({ projectId: id, attempt, preset, photos: photosIn(photos), gaussians: gaussiansOf(order), usd: 0, expiresAt: job.deadlineAt ?? 0 });
    const { job: current, grant_nonce, progress_secret } = this.#record.row();
    if (isRefusal(reserved) || "place" in reserved || current.attempt !== attempt || !isDue(current) || grant_nonce === null || progress_secret === null) return;
    const now = Date.now();
    const plan: AttemptPlan = {
      projectId: id,
      attempt,
      ...order,
      photos,
      nonce: grant_nonce,
      progressSecret: progress_secret,
      deadlineAt: current.deadlineAt ?? now,
      submittedAt: current.submittedAt ?? now,
      refusals: current.refusals,
      now,
      usdMax,
    };
    await this.#submit(plan, reserved.usdLeft);
  }

  #checkStart({ job }: ProjectRow, preset: Preset | null): Preset {
    if (ACTIVE.has(job.state)) throw new ApiError("CONFLICT", `A job of this project is already ${job.state}.`);
    // Before the first attempt the photos show best what is missing.
    if (!STARTABLE.has(job.state)) checkPhotoSet(this.#store.photos(), this.#settings.limits);
    const chosen = preset ?? job.preset;
    if (chosen === null) throw new ApiError("CONFLICT", "This project has no job to retry.", { hint: "Start one with a preset." });
    return chosen;
  }

  /** What the attempt is to do. Throws CONFLICT where that is not possible now. */
  #order(wish: Wish): Order {
    const { job } = this.#record.row();
    if ("also" in wish) return this.#editOrder(wish.also);
    // An edit that was not applied is tried again; one that was is not what "make it again" means.
    const edit = job.edit ?? null;
    if ("again" in wish && edit !== null && job.preset !== null && job.state !== "done" && STARTABLE.has(job.state)) return { preset: job.preset, edit };
    return { preset: this.#checkStart(this.#record.row(), "preset" in wish ? wish.preset : null), edit: null };
  }

  #editOrder(also: readonly ExtraName[]): Order {
    const { attempt: base, shown } = this.#record.editable();
    const recipe = this.#edits.state(base).edit ?? UNEDITED;
    const { preset, report } = shown;
    if (!changesFiles(recipe) && also.length === 0) throw new ApiError("CONFLICT", "There is no edit that changes the scene's files.", { hint: "Crop the scene, remove floaters or set up first." });
    if (preset === null || report === null || NEEDED.some((name) => report.artifacts[name] === undefined)) {
      throw new ApiError("CONFLICT", "The scene has no scene.ply or cameras.json, so its files cannot be edited.", { hint: "Make the scene again." });
    }
    return { preset, edit: { base, gaussians: report.metrics.gaussians, recipe, also } };
  }

  /** The estimated price. */
  async #usdOf({ preset, edit }: Order, photos: readonly PhotoRow[]): Promise<number> {
    const { index } = this.#record;
    const { price } = this.#settings;
    const { usd } = edit === null ? estimate(preset, photosIn(photos), await index.samples(), price) : estimateEdit(edit.gaussians, await index.editSamples(), price);
    return usd;
  }

  #plan(order: Order, photos: readonly PhotoRow[], now: number): AttemptPlan {
    const { id, job } = this.#record.row();
    return {
      projectId: id,
      attempt: job.attempt + 1,
      ...order,
      photos,
      nonce: randomToken(16),
      progressSecret: `whsec_${toBase64(randomBytes(32))}`,
      deadlineAt: now + attemptTimes(this.#settings.limits.job_seconds_max).deadlineS * 1000,
      submittedAt: now,
      refusals: 0,
      now,
      usdMax: null,
    };
  }

  /** Of a project whose deletion is under way, too: its worker must stop. */
  #grantFits(grant: Grant): boolean {
    const { row } = this.#store;
    return row !== undefined && row.grant_nonce === grant.nonce && row.job.attempt === grant.attempt;
  }

  /** The capability is genuine, as its route checked, but its attempt was followed by another, or its project is deleted. */
  #isOfThePast(grant: Grant): boolean {
    const { row } = this.#store;
    return row === undefined || grant.attempt < row.job.attempt;
  }

  /** The project's row, while it is being deleted, too. */
  #stored(): ProjectRow {
    const { row } = this.#store;
    if (row === undefined) throw new ApiError("NOT_FOUND", "This project does not exist.");
    return row;
  }
}
