// What the operations page calls things: workers, checks, alerts, hours and days. Pure.
import type { Operations, Receiver } from "../../../shared/contracts/operations.ts";
import { plural } from "../lib/format.ts";

/** RunPod's states of workers, in the order of a worker's life. `ready` counts idle workers again. */
const WORKER_STATES = ["running", "idle", "initializing", "throttled", "unhealthy"] as const;
const WORKER_WORDS: Readonly<Record<string, string>> = { running: "running", idle: "idle", initializing: "starting", throttled: "waiting for capacity", unhealthy: "unhealthy" };

/** `1 running, 2 idle`; null: RunPod did not answer. */
export function workersInWords(runpod: Operations["runpod"]): string {
  if (runpod === null) return "RunPod did not answer.";
  const known = WORKER_STATES.filter((state) => (runpod.workers[state] ?? 0) > 0).map((state) => `${runpod.workers[state]} ${WORKER_WORDS[state]}`);
  return known.length === 0 ? "None, so nothing is billed." : known.join(", ");
}

export function workerCount(runpod: Operations["runpod"]): number | null {
  return runpod === null ? null : WORKER_STATES.reduce((sum, state) => sum + (runpod.workers[state] ?? 0), 0);
}

/** 0.954 is "95 %"; a rate below 1 is never shown as 100 %. */
export function percent(rate: number | null): string {
  if (rate === null) return "–";
  return `${rate < 1 ? Math.min(99, Math.round(rate * 100)) : 100} %`;
}

/** The start of a period, in UTC: "14:00" of an hour, "30 Nov" of a day. */
export function periodName(iso: string, span: "hours" | "days"): string {
  const at = new Date(iso);
  return span === "hours" ? `${String(at.getUTCHours()).padStart(2, "0")}:00` : at.toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
}

export function receiverInWords({ kind, host, waiting }: Receiver): string {
  const where = { slack: "Slack", discord: "Discord", standard: host }[kind];
  return waiting === 0 ? `Alerts go to ${where}.` : `Alerts go to ${where}. ${plural(waiting, "report")} could not be delivered yet.`;
}

export interface Piece {
  readonly text: string;
  readonly code: boolean;
}

/** Text whose commands and keys stand between backticks, as the API and the command line write them. */
export function pieces(text: string): Piece[] {
  return text.split("`").flatMap((part, index) => (part === "" ? [] : [{ text: part, code: index % 2 === 1 }]));
}
