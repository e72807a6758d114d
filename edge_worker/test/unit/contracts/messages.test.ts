// The examples of docs/contracts: this side reads them, and what it makes has their form.
import { describe, expect, test } from "vitest";

import { UNEDITED } from "../../../shared/contracts/edit.ts";
import { EditJobInputSchema, JobInputSchema } from "../../../shared/contracts/job-input.ts";
import { ProgressSchema, ReportSchema } from "../../../shared/contracts/job-report.ts";
import { ProjectSchema } from "../../../shared/contracts/project.ts";
import { readFailure, readOutput } from "../../../src/project/job/outcome.ts";
import failureExample from "../../../../docs/contracts/job-failure.json";
import editInputExample from "../../../../docs/contracts/job-input-edit.json";
import inputExample from "../../../../docs/contracts/job-input.json";
import reportExample from "../../../../docs/contracts/job-report.json";
import progressExample from "../../../../docs/contracts/progress.json";
import projectExample from "../../../../docs/contracts/project.json";
import { verify } from "../../../src/identity/capability.ts";
import { attemptTimes, interpret } from "../../../src/project/job/attempt.ts";
import { buildInput } from "../../../src/project/job/input.ts";
import { NEW_JOB, type Job } from "../../../src/project/job/state.ts";
import { viewProject } from "../../../src/project/view.ts";
import { parseSettings, type Settings } from "../../../src/settings.ts";
import { BINDINGS } from "../support/bindings.ts";

function settings(): Settings {
  const result = parseSettings(BINDINGS);
  if (!result.ok) throw new Error(result.problems.join("; "));
  return result.settings;
}

const NOW = 1_800_000_000_000;
const PLAN = {
  projectId: "p_0123456789abcdef",
  attempt: 2,
  preset: "preview",
  edit: null,
  photos: [{ as: "0001.jpg", name: "IMG_1.jpg", type: "image/jpeg", frames: null, bytes: 7, sha256: null, uploaded: true, realType: "image/jpeg", thumbnail: false }],
  nonce: "A".repeat(22),
  progressSecret: "whsec_c2VjcmV0",
  deadlineAt: NOW + 7_380_000,
  now: NOW,
  submittedAt: 0,
  refusals: 0,
  usdMax: 3.5,
} as const;

describe("the job input", () => {
  test("of the contract is an input that we could have made", () => {
    expect(JobInputSchema.parse(inputExample)).toEqual(inputExample);
  });

  test("that we make has exactly the contract's fields", async () => {
    const made = JobInputSchema.parse(await buildInput(PLAN, settings()));
    expect(Object.keys(made).sort()).toEqual(Object.keys(inputExample).sort());
    expect(Object.keys(made.outputs)).toEqual(Object.keys(inputExample.outputs));
    expect(Object.keys(made.photos[0] ?? {})).toEqual(Object.keys(inputExample.photos[0] ?? {}));
    expect(made.limits).toEqual({ max_seconds: 3600, max_cost_usd: 3.5 });
  });

  test("that applies an edit reads the files of its base and asks for every format, and for others only on request", async () => {
    expect(EditJobInputSchema.parse(editInputExample)).toEqual(editInputExample);
    const edit = { base: 1, gaussians: 400, recipe: { ...UNEDITED, up: [0, -1, 0] as [number, number, number] }, also: ["scene.glb", "scene.html"] as const };
    const made = EditJobInputSchema.parse(await buildInput({ ...PLAN, photos: [], edit }, settings()));
    expect(Object.keys(made).sort()).toEqual(Object.keys(editInputExample).sort());
    expect(Object.keys(made.outputs)).toEqual(Object.keys(editInputExample.outputs));
    expect([made.edit.base, made.edit.recipe]).toEqual([1, edit.recipe]);
    const read = [made.edit.scene_url, made.edit.cameras_url, made.edit.report_url].map((url) => new URL(url).pathname.split("/").slice(-2).join("/"));
    expect(read).toEqual(["1/scene.ply", "1/cameras.json", "1/report.json"]);
    const plain = await buildInput({ ...PLAN, photos: [], edit: { ...edit, also: [] } }, settings());
    expect(Object.keys(plain.outputs)).not.toContain("scene.glb");
  });

  test("signs each address for its one use and until the deadline", async () => {
    const made = JobInputSchema.parse(await buildInput(PLAN, settings()));
    const photo = new URL(made.photos[0]?.url ?? "");
    expect(photo.pathname).toBe("/cdn-cgi/local/r2/s3/splat-test/projects/p_0123456789abcdef/photos/0001.jpg");
    expect(photo.searchParams.get("X-Amz-Expires")).toBe("7380");
    expect(photo.searchParams.get("X-Amz-SignedHeaders")).toBe("host");
    const poster = new URL(made.outputs["poster.webp"] ?? "");
    expect(poster.pathname).toBe("/cdn-cgi/local/r2/s3/splat-test/projects/p_0123456789abcdef/attempts/2/poster.webp");
    expect(poster.searchParams.get("X-Amz-SignedHeaders")).toBe("content-type;host");
  });

  test("carries this attempt's address for progress", async () => {
    const made = await buildInput(PLAN, settings());
    const [base, capability = ""] = made.progress.url.split("/api/hooks/progress/");
    expect(base).toBe("http://127.0.0.1:8787");
    const verdict = await verify("hook-progress", capability, settings().hookKeys, NOW);
    expect(verdict).toMatchObject({ ok: true, grant: { projectId: PLAN.projectId, attempt: 2, nonce: PLAN.nonce } });
  });

  test("leaves the cost limit out where there is none", async () => {
    expect((await buildInput({ ...PLAN, usdMax: null }, settings())).limits).toEqual({ max_seconds: 3600 });
  });
});

describe("what a job reports", () => {
  test("the contract's report is read whole", () => {
    expect(ReportSchema.parse(reportExample)).toEqual(reportExample);
    expect(readOutput(reportExample)).toEqual({ kind: "report", report: reportExample });
  });

  test("the contract's failure is read, as an object, as JSON text, and inside an output", () => {
    const failure = { ...failureExample.error };
    expect(readFailure(failure)).toEqual(failure);
    expect(readFailure(JSON.stringify(failure))).toEqual(failure);
    expect(readOutput(failureExample)).toEqual({ kind: "failure", failure });
  });

  test("the contract's progress is read", () => {
    expect(ProgressSchema.parse(progressExample)).toEqual(progressExample);
  });

  test.each([
    ["a traceback of the SDK", '{"error_type": "ValueError", "error_traceback": "File /srv/secret.py", "hostname": "h"}'],
    ["a text of the platform", "CUDA error at /srv/kernel.cu"],
    ["nothing", undefined],
    ["a number", 7],
  ])("%s as an error is INTERNAL and not passed on", (_what, error) => {
    expect(readFailure(error)).toMatchObject({ code: "INTERNAL", message: "The worker failed without giving a reason." });
  });

  test("a time limit in the platform's words is TIME_LIMIT, and an unknown code is INTERNAL", () => {
    expect(readFailure("execution timed out").code).toBe("TIME_LIMIT");
    expect(readFailure({ code: "NEW_CODE", message: "something new" })).toEqual({ code: "INTERNAL", message: "something new", hint: null, stage: null });
  });

  test("a worker that was lost twice is not a time limit", () => {
    const failure = readFailure("job timed out after 1 retries");
    expect(failure).toMatchObject({ code: "INTERNAL", message: "The worker stopped before it finished, twice." });
    expect(failure.hint).toMatch(/^Start it again/);
  });

  test.each([
    ["failed", { kind: "failed", error: "job timed out after 1 retries" }],
    ["timed out", { kind: "timed_out" }],
    ["gone", { kind: "gone" }],
    ["completed with a list", { kind: "completed", output: [] }],
    ["completed with another job's report", { kind: "completed", output: reportExample }],
  ] as const)("a report in the bucket outweighs a job that RunPod calls %s", async (_what, status) => {
    const job: Job = { ...NEW_JOB, state: "running", attempt: 1, runpodId: "r1" };
    const report = ReportSchema.parse({ ...reportExample, project_id: "p1", attempt: 1 });
    expect(await interpret(job, "p1", status, async () => report, NOW)).toEqual({ type: "completed", attempt: 1, report });
    expect(await interpret(job, "p1", status, async () => null, NOW)).toMatchObject({ type: "failed" });
  });

  test("a report in the bucket outweighs a cancel that nobody here asked for", async () => {
    const job: Job = { ...NEW_JOB, state: "running", attempt: 1, runpodId: "r1" };
    const report = ReportSchema.parse({ ...reportExample, project_id: "p1", attempt: 1 });
    expect(await interpret(job, "p1", { kind: "cancelled" }, async () => report, NOW)).toMatchObject({ type: "completed" });
    expect(await interpret(job, "p1", { kind: "cancelled" }, async () => null, NOW)).toMatchObject({ type: "cancelled_remotely" });
  });

  test("an output other than our report is a failure", () => {
    for (const output of [undefined, null, "done", {}, { version: 2 }]) expect(readOutput(output).kind).toBe("failure");
  });

  test("a report of another project or attempt never becomes this attempt's result", async () => {
    const job: Job = { ...NEW_JOB, state: "running", attempt: 1, runpodId: "r1" };
    const look = (output: unknown, id: string): ReturnType<typeof interpret> => interpret(job, id, { kind: "completed", output }, async () => null, NOW);
    expect((await look(reportExample, reportExample.project_id)).type).toBe("completed");
    expect((await look(reportExample, "p_another")).type).toBe("failed");
    expect((await look({ ...reportExample, attempt: 2 }, reportExample.project_id)).type).toBe("failed");
  });
});

test("the contract's project fits ours, and ours has exactly its fields", () => {
  expect(ProjectSchema.parse(projectExample)).toEqual(projectExample);
  const view = viewProject(
    {
      id: "p_0123456789abcdef",
      name: "Teapot",
      created_at: NOW,
      updated_at: NOW,
      next_photo: 1,
      job: NEW_JOB,
      grant_nonce: null,
      progress_secret: null,
      asked_at: 0,
      hurry: false,
      index_dirty: false,
      deleting_until: null,
      uploads_until: 0,
      chosen: null,
    },
    { count: 0, bytes: 0 },
    { edit: null, undo: 0, results: [] },
  );
  expect(Object.keys(view).sort()).toEqual(Object.keys(projectExample).sort());
});

test.each([
  { limitS: 3600, times: { executionTimeoutS: 3660, ttlS: 7260, deadlineS: 7380 } },
  { limitS: 604_800, times: { executionTimeoutS: 604_800, ttlS: 604_800, deadlineS: 604_920 } },
])("a limit of $limitS s stays within RunPod's bounds", ({ limitS, times }) => {
  expect(attemptTimes(limitS)).toEqual(times);
});
