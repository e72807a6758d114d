// The edge's own alerts: rules on what one look shows, reports to the receiver.
// One per account; its storage is the account's.
import type { Alert, Receiver } from "../../../shared/contracts/operations.ts";
import { sendAlert, type Sent } from "../../clients/alert-webhook.ts";
import { randomId } from "../../crypto.ts";
import type { Settings } from "../../settings.ts";
import { TEST_NOTICE, bodyOf, noticeOf, receiverKind, type Notice } from "./message.ts";
import { Outbox } from "./outbox.ts";
import { RULES, advance, type Situation } from "./rules.ts";

/** How soon to look again while an alert is about to be raised, and while one is open, ms. */
const PENDING_EVERY_MS = 60_000;
const OPEN_EVERY_MS = 5 * 60_000;
/** In one round; the rest follows in the next. */
const REPORTS_PER_ROUND = 10;

type Destination = Pick<Settings, "alertWebhook" | "hookKeys" | "stack" | "workerUrl">;

export class Alerts {
  readonly #outbox: Outbox;
  #delivering = false;

  constructor(sql: SqlStorage) {
    this.#outbox = new Outbox(sql);
  }

  /** Takes in a look at the service. With a receiver, changes wait for `deliver`. */
  observe(situation: Situation, now: number, { alertWebhook }: Pick<Settings, "alertWebhook">): void {
    const { open, changes } = advance(this.#outbox.open, situation, now);
    this.#outbox.open = open;
    for (const change of changes) {
      console.warn(`alert ${change.kind}: ${change.alert.name}. ${change.alert.summary}`);
      if (alertWebhook !== null) this.#outbox.add(randomId("msg", 20), noticeOf(change), now);
    }
  }

  /** Sends what is due. A report that fails is due again later, and so are those behind it. */
  async deliver(to: Destination): Promise<void> {
    if (to.alertWebhook === null) return this.#outbox.clear();
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      for (let sent = 0; sent < REPORTS_PER_ROUND; sent += 1) {
        const report = this.#outbox.next();
        if (report === null || report.due > Date.now()) return;
        const { ok, detail, retryAfterMs } = await this.#send(to, to.alertWebhook, report.id, report.notice, report.at);
        if (ok) this.#outbox.remove(report.id);
        else if (!this.#outbox.postpone(report, Date.now(), retryAfterMs)) console.error(`alert ${report.notice.name} was not delivered: ${detail}`);
        if (!ok) return;
      }
    } finally {
      this.#delivering = false;
    }
  }

  /** Null without a receiver. */
  async test(to: Destination, now: number): Promise<Sent | null> {
    return to.alertWebhook === null ? null : this.#send(to, to.alertWebhook, randomId("msg", 20), { ...TEST_NOTICE, since: now }, now);
  }

  async #send({ hookKeys, stack, workerUrl }: Destination, url: URL, id: string, notice: Notice, at: number): Promise<Sent> {
    const sent = await sendAlert(url, hookKeys, id, bodyOf(receiverKind(url), notice, { stack, appUrl: workerUrl, at }), Date.now());
    this.#outbox.noteDelivery({ at: Date.now(), ok: sent.ok, detail: sent.detail });
    return sent;
  }

  /** When to look again, ms, or null: nothing is open or waits. */
  nextLook(now: number): number | null {
    const { open } = this.#outbox;
    const due = this.#outbox.next()?.due ?? Number.POSITIVE_INFINITY;
    const pending = open.some(({ raised }) => !raised) ? now + PENDING_EVERY_MS : Number.POSITIVE_INFINITY;
    const at = Math.min(due, pending, open.length > 0 ? now + OPEN_EVERY_MS : Number.POSITIVE_INFINITY);
    return at === Number.POSITIVE_INFINITY ? null : Math.max(at, now);
  }

  /** Those that were raised. */
  view(): Alert[] {
    return this.#outbox.open.flatMap(({ name, since, raised, summary }) => {
      const rule = RULES[name];
      return raised && rule !== undefined ? [{ name, severity: rule.severity, since: new Date(since).toISOString(), summary, action: rule.action }] : [];
    });
  }

  receiver({ alertWebhook }: Pick<Settings, "alertWebhook">): Receiver | null {
    if (alertWebhook === null) return null;
    const { last } = this.#outbox;
    return {
      kind: receiverKind(alertWebhook),
      host: alertWebhook.host,
      waiting: this.#outbox.waiting,
      last: last === null ? null : { ...last, at: new Date(last.at).toISOString() },
    };
  }
}
