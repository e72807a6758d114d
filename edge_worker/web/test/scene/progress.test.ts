// The six steps, the time left and the cost so far, from a project's state.
import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";
import * as z from "zod/mini";

import { ReportSchema } from "../../../shared/contracts/job-report.ts";
import { ProjectSchema, type Progress, type Project } from "../../../shared/contracts/project.ts";
import { ACTIVE, FINAL, STAGES, STATES } from "../../../shared/stages.ts";
import { costSoFar, keepForecast, secondsLeft, stageShares, steps } from "../../src/scene/progress.ts";

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`../../../../docs/contracts/${name}.json`, import.meta.url), "utf8"));
const running = z.parse(ProjectSchema, read("project"));
const at = (change: Partial<Project>): Project => ({ ...running, ...change });
const progress = (change: Partial<Progress>): Progress => ({ stage: "train", fraction: 0.5, message: "", eta_s: null, preview: null, cameras: null, at: "2026-11-23T16:54:40Z", ...change });
const inStage = (stage: string, fraction: number): Project => at({ progress: progress({ stage, fraction }) });
const short = (project: Project, upload: number | null = null): string => steps(project, upload).map(({ state }) => state.at(0)).join("");

describe("steps", () => {
  it("shows one step in progress, earlier ones done, later ones ahead", () => {
    expect(steps(running).map(({ label, state }) => `${label}: ${state}`)).toEqual([
      "Upload: done",
      "Queue: done",
      "Photos: done",
      "Camera poses: done",
      "Training: now",
      "Export: ahead",
    ]);
  });

  it.each([
    ["download", 0.5, "ddnaaa", 0.25],
    ["photos", 0.5, "ddnaaa", 0.75],
    ["sfm", 0.1, "dddnaa", 0.1],
    ["train", 1.7, "ddddna", 1],
    ["export", 1, "dddddn", 0.5],
    ["upload", 0.5, "dddddn", 0.75],
    ["an unknown stage", 0, "ddnaaa", 0],
  ])("puts stage %s at %d into %s", (stage, fraction, shape, expected) => {
    const project = inStage(stage, fraction);
    expect(short(project)).toBe(shape);
    expect(steps(project).find(({ state }) => state === "now")?.fraction).toBeCloseTo(expected);
  });

  it("covers every stage that a worker reports", () => {
    for (const stage of STAGES) expect(short(inStage(stage, 0))).toContain("n");
  });

  it("stops at the stage of the failure, not of the last message", () => {
    const failed = at({ state: "failed", error: { code: "SFM_FAILED", message: "no", hint: null, stage: "sfm" } });
    expect(short(failed)).toBe("dddsaa");
  });

  it("stops a cancelled job at the stage of its last message", () => {
    expect(short(at({ state: "cancelled" }))).toBe("ddddsa");
  });

  it("stops a job that never reached a worker in the queue", () => {
    expect(short(at({ state: "cancelled", started_at: null, progress: null }))).toBe("dsaaaa");
  });

  it.each([
    ["new", "naaaaa"],
    ["uploading", "naaaaa"],
    ["ready", "daaaaa"],
    ["queued", "dnaaaa"],
    ["done", "dddddd"],
  ] as const)("shows %s as %s", (state, shape) => expect(short(at({ state, progress: null }), 0.4)).toBe(shape));

  it("has no fraction for a queued job", () => {
    expect(steps(at({ state: "queued", progress: null })).every(({ fraction }) => fraction === null)).toBe(true);
  });
});

describe("time left", () => {
  const sent = Date.parse("2026-11-23T16:54:40Z");

  it("counts down from the last message, and never below zero", () => {
    expect(secondsLeft(running, sent)).toBe(71);
    expect(secondsLeft(running, sent + 30_000)).toBe(41);
    expect(secondsLeft(running, sent + 300_000)).toBe(0);
  });

  it("is unknown while queued, and if the worker reports none", () => {
    expect(secondsLeft(at({ state: "queued" }), sent)).toBeNull();
    expect(secondsLeft(at({ progress: progress({ stage: "sfm", fraction: 0 }) }), sent)).toBeNull();
  });

  it("ignores a device clock that is behind", () => {
    expect(secondsLeft(running, sent - 60_000)).toBe(71);
  });

  it("keeps counting down after a message without a forecast", () => {
    const silent = at({ progress: progress({ at: "2026-11-23T16:54:50Z" }) });
    expect(keepForecast(running, silent).progress?.eta_s).toBe(61);
    expect(keepForecast({ ...running, attempt: 7 }, silent).progress?.eta_s).toBeNull();
    expect(keepForecast(null, silent)).toBe(silent);
  });
});

describe("cost so far", () => {
  it("covers the start of the attempt until now, or until its end", () => {
    const start = Date.parse("2026-11-23T16:53:02Z");
    expect(costSoFar(running, 0.00031, start + 100_000)).toBeCloseTo(0.031);
    expect(costSoFar(at({ finished_at: "2026-11-23T16:53:12Z" }), 0.001, start + 900_000)).toBeCloseTo(0.01);
    expect(costSoFar(at({ started_at: null }), 0.001, start)).toBeNull();
    expect(costSoFar(running, 0.001, start - 5000)).toBe(0);
  });
});

describe("states", () => {
  it("are never both final and active", () => {
    expect(STATES.filter((state) => FINAL.has(state))).toEqual(["done", "failed", "cancelled"]);
    expect(STATES.filter((state) => ACTIVE.has(state))).toEqual(["queued", "running"]);
  });
});

describe("shares of the time", () => {
  it("sum to one and keep the report's order", () => {
    const shares = stageShares(z.parse(ReportSchema, read("job-report")));
    expect(shares.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    expect(shares.map(({ stage }) => stage)).toEqual([...STAGES]);
  });
});
