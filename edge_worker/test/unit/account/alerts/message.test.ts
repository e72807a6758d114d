// What a receiver gets, by its host: Standard Webhooks, Slack, Discord.
import { expect, test } from "vitest";

import { bodyOf, noticeOf, receiverKind, type Notice } from "../../../../src/account/alerts/message.ts";

test.each([
  ["https://hooks.slack.com/services/T0/B0/x", "slack"],
  ["https://hooks.slack.com.example.org/services", "standard"],
  ["https://discord.com/api/webhooks/1/x", "discord"],
  ["https://ptb.discord.com/api/webhooks/1/x", "discord"],
  ["https://discordapp.com/api/webhooks/1/x", "discord"],
  ["https://notdiscord.com/api/webhooks/1/x", "standard"],
  ["https://alerts.example.org/in", "standard"],
])("%s: %s", (url, kind) => expect(receiverKind(new URL(url))).toBe(kind));

const AT = Date.UTC(2026, 10, 30, 12);
const where = { stack: "prod", appUrl: "https://splat.example.org", at: AT };
const raised: Notice = noticeOf({ kind: "raised", alert: { name: "SplatServiceStopped", since: AT - 60_000, raised: true, summary: "No job starts. <@U1> & @everyone" } });

test("Standard Webhooks: type, time and data", () => {
  expect(JSON.parse(bodyOf("standard", raised, where))).toEqual({
    type: "alert.raised",
    timestamp: "2026-11-30T12:00:00.000Z",
    data: {
      name: "SplatServiceStopped",
      severity: "page",
      summary: "No job starts. <@U1> & @everyone",
      action: "Run `splat monitor` for the reason and `splat doctor` for the cause, then `splat resume`.",
      stack: "prod",
      since: "2026-11-30T11:59:00.000Z",
      url: "https://splat.example.org/operations",
    },
  });
});

test("Slack: a text whose names notify nobody", () => {
  const { text } = JSON.parse(bodyOf("slack", raised, where)) as { text: string };
  expect(text).toBe("🔴 Alert on prod: No job starts. &lt;@U1&gt; &amp; @everyone\nRun `splat monitor` for the reason and `splat doctor` for the cause, then `splat resume`.\nhttps://splat.example.org/operations");
});

test("Discord: a content, and no mention is parsed", () => {
  expect(JSON.parse(bodyOf("discord", { ...raised, type: "alert.cleared" }, where))).toEqual({
    content: "🟢 Cleared on prod: No job starts. <@U1> & @everyone\nhttps://splat.example.org/operations",
    allowed_mentions: { parse: [] },
  });
});
