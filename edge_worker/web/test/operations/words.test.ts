// Words of the operations page.
import { describe, expect, it } from "vitest";

import { percent, periodName, pieces, receiverInWords, workerCount, workersInWords } from "../../src/operations/words.ts";

describe("workers", () => {
  it.each([
    [null, "RunPod did not answer.", null],
    [{}, "None, so nothing is billed.", 0],
    [{ idle: 0, ready: 0, running: 0 }, "None, so nothing is billed.", 0],
    [{ idle: 1, ready: 1, running: 2, initializing: 1 }, "2 running, 1 idle, 1 starting", 4],
    [{ throttled: 1, unhealthy: 2 }, "1 waiting for capacity, 2 unhealthy", 3],
  ])("%j", (workers, words, count) => {
    const runpod = workers === null ? null : { jobs: {}, workers: workers as Record<string, number> };
    expect([workersInWords(runpod), workerCount(runpod)]).toEqual([words, count]);
  });
});

it.each([
  [null, "–"],
  [0, "0 %"],
  [0.954, "95 %"],
  [0.999, "99 %"],
  [1, "100 %"],
])("a rate of %s is %s", (rate, words) => expect(percent(rate)).toBe(words));

it("periods are named in UTC", () => {
  expect(periodName("2026-11-30T05:00:00.000Z", "hours")).toBe("05:00");
  expect(periodName("2026-11-30T00:00:00.000Z", "days")).toBe("30 Nov");
});

it.each([
  [{ kind: "slack", host: "hooks.slack.com", waiting: 0, last: null }, "Alerts go to Slack."],
  [{ kind: "discord", host: "discord.com", waiting: 1, last: null }, "Alerts go to Discord. 1 report could not be delivered yet."],
  [{ kind: "standard", host: "alerts.example.org", waiting: 2, last: null }, "Alerts go to alerts.example.org. 2 reports could not be delivered yet."],
] as const)("%j", (receiver, words) => expect(receiverInWords(receiver)).toBe(words));

it.each([
  ["Run `splat doctor`, then `splat resume`.", ["Run ", "`splat doctor", ", then ", "`splat resume", "."]],
  ["`gpu` first", ["`gpu", " first"]],
  ["No code", ["No code"]],
  ["", []],
])("%s", (text, expected) => expect(pieces(text).map(({ text: part, code }) => (code ? `\`${part}` : part))).toEqual(expected));
