// Each alert's condition at its edge, once raised and once cleared; and the same rules as Prometheus has.
import { describe, expect, test } from "vitest";

import alertsYaml from "../../../../../ops/prometheus/alerts.yml?raw";
import { RULES, advance, type Open, type Situation } from "../../../../src/account/alerts/rules.ts";
import { CLOSED } from "../../../../src/account/breaker.ts";

const FINE: Situation = { breaker: CLOSED, oldestWaitS: 0, failedLately: 0, doneLately: 0, budgetUsd: 50, leftUsd: 50, runpodAnswers: true, webhooksLost: 0 };
const MINUTE = 60_000;
const names = (situation: Partial<Situation>): string[] => advance([], { ...FINE, ...situation }, 0).open.map(({ name }) => name);

describe("a condition", () => {
  test.each<[string, Partial<Situation>, string[]]>([
    ["a healthy service", {}, []],
    ["a stopped service", { breaker: { ...CLOSED, stopped: { at: 0, reason: "Maintenance." } } }, ["SplatServiceStopped"]],
    ["one failed start", { breaker: { ...CLOSED, failures: 1 } }, []],
    ["two failed starts", { breaker: { ...CLOSED, failures: 2 } }, ["SplatWorkersFailToStart"]],
    ["no worker", { breaker: { ...CLOSED, noWorker: true } }, ["SplatNoWorker"]],
    ["a wait of ten minutes", { oldestWaitS: 600 }, []],
    ["a longer wait", { oldestWaitS: 601 }, ["SplatJobsWaitTooLong"]],
    ["one failed job", { failedLately: 1 }, []],
    ["two failed jobs", { failedLately: 2, doneLately: 1 }, ["SplatJobsFail"]],
    ["as many failed as succeeded", { failedLately: 2, doneLately: 2 }, []],
    ["a fifth of the budget", { leftUsd: 10 }, []],
    ["less than a fifth of the budget", { leftUsd: 9.99 }, ["SplatBudgetNearlySpent"]],
    ["no budget at all", { budgetUsd: 0, leftUsd: 0 }, []],
    ["one lost webhook", { webhooksLost: 1 }, []],
    ["two lost webhooks", { webhooksLost: 2 }, ["SplatWebhooksLost"]],
    ["a silent RunPod", { runpodAnswers: false }, ["SplatRunPodDoesNotAnswer"]],
  ])("of %s", (_what, situation, expected) => expect(names(situation)).toEqual(expected));
});

/** The changes at each minute of a history, as `minute kind`. */
function changes(history: readonly Partial<Situation>[]): string[] {
  let open: readonly Open[] = [];
  return history.flatMap((situation, minute) => {
    const after = advance(open, { ...FINE, ...situation }, minute * MINUTE);
    // As it comes back from storage.
    open = JSON.parse(JSON.stringify(after.open)) as Open[];
    return after.changes.map(({ kind }) => `${minute} ${kind}`);
  });
}

describe("an alert", () => {
  const stopped = { breaker: { ...CLOSED, stopped: { at: 0, reason: "Maintenance." } } };
  const waits = { oldestWaitS: 700 };
  test.each<[string, readonly Partial<Situation>[], string[]]>([
    ["is raised once and cleared once", [{}, stopped, stopped, stopped, {}, {}], ["1 raised", "4 cleared"]],
    ["is raised again after it cleared", [stopped, {}, stopped], ["0 raised", "1 cleared", "2 raised"]],
    ["waits until its condition has held long enough", [waits, waits, waits, {}], ["2 raised", "3 cleared"]],
    ["says nothing about a condition that ended in time", [waits, waits, {}, waits, waits, {}], []],
    ["starts its time again after a gap", [waits, {}, waits, waits, waits], ["4 raised"]],
  ])("%s", (_what, history, expected) => expect(changes(history)).toEqual(expected));

  test("keeps the time at which its condition began, and names the newest figures", () => {
    const first = advance([], { ...FINE, breaker: { ...CLOSED, failures: 2 } }, 5 * MINUTE);
    const later = advance(first.open, { ...FINE, breaker: { ...CLOSED, failures: 4 } }, 9 * MINUTE);
    expect(later.changes).toMatchObject([{ kind: "raised", alert: { since: 5 * MINUTE, summary: "4 starts of workers failed in a row." } }]);
  });

  test("of a rule that a newer release removed is forgotten", () => {
    expect(advance([{ name: "Gone", since: 0, raised: true, summary: "" }], FINE, 1)).toEqual({ open: [], changes: [] });
  });
});

test("Prometheus has the same alerts, with the same severity, pause and advice, and one more for an app that is down", () => {
  const rules = alertsYaml.split("- alert: ").slice(1).map((text) => {
    const [name = ""] = text.split("\n");
    const minutes = Number(/^\s+for: (\d+)m$/m.exec(text)?.[1] ?? 0);
    return [name, /severity: (\w+)/.exec(text)?.[1], minutes * MINUTE, /^\s+action: "?(.*?)"?$/m.exec(text)?.[1]];
  });
  const own = Object.entries(RULES).map(([name, { severity, forMs, action }]) => [name, severity, forMs, action]);
  expect(own.sort()).toEqual(rules.filter(([name]) => name !== "SplatAppDown").sort());
  expect(rules).toHaveLength(own.length + 1);
});
