// Tells browsers that a job has ended. Text and address only: what the page shows needs a session.
import type { Project } from "../../../shared/contracts/project.ts";
import { pushKeyOf, sendPush, type Subscription } from "../../clients/web-push.ts";
import type { Settings } from "../../settings.ts";
import { PushBook } from "./book.ts";

/** Within the free plan's subrequests, beside what else one look calls. */
const PER_ROUND = 20;
const TEXT_LENGTH_MAX = 300;

type Ended = Pick<Project, "id" | "name" | "state" | "error" | "attempt" | "shown" | "editing">;

export class News {
  readonly #book: PushBook;

  constructor(sql: SqlStorage) {
    this.#book = new PushBook(sql);
  }

  watch(projectId: string, browser: Subscription): void {
    this.#book.add(projectId, browser);
  }

  /** Returns whether somebody waits for it. */
  ended(project: Ended, now: number): boolean {
    return this.#book.announce(project.id, JSON.stringify({ title: project.name, body: wordsOf(project), path: `/p/${project.id}` }), now);
  }

  forget(projectId: string): void {
    this.#book.forget(projectId);
  }

  async deliver({ pushKey, workerUrl }: Pick<Settings, "pushKey" | "workerUrl">): Promise<void> {
    if (pushKey === null) return;
    const key = await pushKeyOf(pushKey);
    const now = Date.now();
    // A row that no message can be made for is dropped with the others that have ended.
    for (const one of this.#book.due(now, PER_ROUND)) {
      const sent = await sendPush(one, one.message, one.project, key, workerUrl, now).catch(() => "gone" as const);
      if (sent === "sent") this.#book.remove(one);
      else if (sent === "gone") this.#book.expire(one);
      else this.#book.postpone(one, Date.now(), sent.retryAfterMs);
    }
  }

  nextDue(): number | null {
    return this.#book.nextDue();
  }
}

function wordsOf({ state, error, attempt, shown, editing }: Ended): string {
  // An edit that failed leaves the scene as it was.
  if (editing !== null && state === "done") return shown === attempt ? "The edit is applied." : `The edit was not applied. ${error?.message ?? ""}`.slice(0, TEXT_LENGTH_MAX).trim();
  if (state === "done") return "Your scene is ready.";
  if (state === "cancelled") return "The job was cancelled.";
  return `The job failed. ${error?.message ?? ""}`.slice(0, TEXT_LENGTH_MAX).trim();
}
