// An alert as its receiver reads it: Standard Webhooks, Slack or Discord, by the host of the address. Pure.
// Never holds the address itself: it is a secret.
import type { ReceiverKind } from "../../../shared/contracts/operations.ts";
import { RULES, type Change } from "./rules.ts";

/** What is reported: an alert that was raised or cleared, or a test on request. */
export interface Notice {
  readonly type: "alert.raised" | "alert.cleared" | "alert.test";
  readonly name: string;
  readonly severity: string;
  readonly summary: string;
  readonly action: string;
  /** ms */
  readonly since: number;
}

export const TEST_NOTICE: Omit<Notice, "since"> = {
  type: "alert.test",
  name: "SplatTest",
  severity: "warn",
  summary: "This is a test. Alerts of this service arrive here.",
  action: "Nothing to do.",
};

export function noticeOf({ kind, alert: { name, since, summary } }: Change): Notice {
  return { type: `alert.${kind}`, name, severity: RULES[name]?.severity ?? "warn", summary, action: RULES[name]?.action ?? "", since };
}

export function receiverKind(url: URL): ReceiverKind {
  if (url.hostname === "hooks.slack.com" || url.hostname === "hooks.slack-gov.com") return "slack";
  if (/^(\w+\.)?discord(app)?\.com$/.test(url.hostname)) return "discord";
  return "standard";
}

/** appUrl: where operators look. at: ms, the same in every try. */
export function bodyOf(kind: ReceiverKind, notice: Notice, { stack, appUrl, at }: { readonly stack: string; readonly appUrl: string; readonly at: number }): string {
  const url = `${appUrl}/operations`;
  if (kind === "standard") {
    const { type, since, ...rest } = notice;
    return JSON.stringify({ type, timestamp: iso(at), data: { ...rest, stack, since: iso(since), url } });
  }
  const what = { "alert.raised": notice.severity === "page" ? "🔴 Alert" : "🟠 Warning", "alert.cleared": "🟢 Cleared", "alert.test": "Test" }[notice.type];
  const advice = notice.type === "alert.raised" ? `\n${notice.action}` : "";
  const text = `${what} on ${stack}: ${notice.summary}${advice}\n${url}`;
  // A name in the text must notify nobody.
  return JSON.stringify(kind === "slack" ? { text: text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;") } : { content: text, allowed_mentions: { parse: [] } });
}

const iso = (ms: number): string => new Date(ms).toISOString();
