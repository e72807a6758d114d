// When to alert: the conditions of ops/prometheus/alerts.yml, for teams without Prometheus. A test compares the two.
// Pure. The app cannot report that it is down itself; only Prometheus has that rule.
import type { SEVERITIES } from "../../../shared/contracts/operations.ts";
import { readableUsd } from "../../format.ts";
import type { Breaker } from "../breaker.ts";

const MINUTE_MS = 60_000;

/** What one look at the service shows. */
export interface Situation {
  readonly breaker: Breaker;
  readonly oldestWaitS: number;
  /** Jobs that ended within the last hour. */
  readonly failedLately: number;
  readonly doneLately: number;
  readonly budgetUsd: number;
  readonly leftUsd: number;
  readonly runpodAnswers: boolean;
  /** Webhooks that should have come within the last hour. */
  readonly webhooksLost: number;
}

export interface Rule {
  readonly severity: (typeof SEVERITIES)[number];
  /** How long the condition must hold, ms. */
  readonly forMs: number;
  /** The sentence for people, or null while all is well. */
  readonly holds: (now: Situation) => string | null;
  readonly action: string;
}

const when = (condition: boolean, summary: string): string | null => (condition ? summary : null);

export const RULES: Readonly<Record<string, Rule>> = {
  SplatServiceStopped: {
    severity: "page",
    forMs: 0,
    holds: ({ breaker: { stopped } }) => when(stopped !== null, `No job starts. ${stopped?.reason}`),
    action: "Run `splat monitor` for the reason and `splat doctor` for the cause, then `splat resume`.",
  },
  SplatWorkersFailToStart: {
    severity: "page",
    forMs: MINUTE_MS,
    holds: ({ breaker: { failures } }) => when(failures >= 2, `${failures} starts of workers failed in a row.`),
    action: "Run `splat doctor`. At startFailuresMax the service stops by itself.",
  },
  SplatNoWorker: {
    severity: "page",
    forMs: MINUTE_MS,
    holds: ({ breaker: { noWorker } }) => when(noWorker, "Jobs wait, and the endpoint starts no worker."),
    action: "Run `splat doctor`. RunPod sets workers.max to 0 after a week without jobs.",
  },
  SplatJobsWaitTooLong: {
    severity: "warn",
    forMs: 2 * MINUTE_MS,
    holds: ({ oldestWaitS }) => when(oldestWaitS > 600, `A job has waited for ${Math.round(oldestWaitS / 60)} minutes.`),
    action: "Run `splat monitor`. Throttled workers wait for capacity; add another card with `splat gpu`.",
  },
  SplatJobsFail: {
    severity: "warn",
    forMs: 0,
    holds: ({ failedLately, doneLately }) => when(failedLately >= 2 && failedLately > doneLately, `${failedLately} jobs failed and ${doneLately} succeeded within an hour.`),
    action: "Run `splat jobs --state failed --since 2h`, then `splat job` with an ID.",
  },
  SplatBudgetNearlySpent: {
    severity: "warn",
    forMs: 0,
    holds: ({ leftUsd, budgetUsd }) => when(leftUsd < 0.2 * budgetUsd, `${readableUsd(Math.max(0, leftUsd))} of the month's budget of ${readableUsd(budgetUsd)} is left.`),
    action: "Run `splat cost`. Raise budgetUsdPerMonth, or no job starts once it is spent.",
  },
  SplatWebhooksLost: {
    severity: "warn",
    forMs: 0,
    holds: ({ webhooksLost }) => when(webhooksLost >= 2, `RunPod's webhook did not arrive for ${webhooksLost} jobs within an hour.`),
    action: "Run `splat doctor`. A login or a bot check in front of the app must let /api/hooks/* pass.",
  },
  SplatRunPodDoesNotAnswer: {
    severity: "page",
    forMs: 5 * MINUTE_MS,
    holds: ({ runpodAnswers }) => when(!runpodAnswers, "RunPod does not answer the app."),
    action: "Run `splat doctor`. Check RunPod's status page and the key.",
  },
};

/** An alert whose condition holds. raised: it has held long enough, and was reported. Times in ms. */
export interface Open {
  readonly name: string;
  readonly since: number;
  readonly raised: boolean;
  readonly summary: string;
}

export interface Change {
  readonly kind: "raised" | "cleared";
  readonly alert: Open;
}

/** The alerts after another look, and what to report: each alert once when it is raised and once when it clears. */
export function advance(before: readonly Open[], situation: Situation, now: number): { readonly open: Open[]; readonly changes: Change[] } {
  const open: Open[] = [];
  const changes: Change[] = [];
  for (const [name, rule] of Object.entries(RULES)) {
    const known = before.find((one) => one.name === name);
    const summary = rule.holds(situation);
    if (summary === null) {
      if (known?.raised === true) changes.push({ kind: "cleared", alert: known });
      continue;
    }
    const since = known?.since ?? now;
    const alert = { name, since, raised: known?.raised === true || now - since >= rule.forMs, summary };
    open.push(alert);
    if (alert.raised && known?.raised !== true) changes.push({ kind: "raised", alert });
  }
  return { open, changes };
}
