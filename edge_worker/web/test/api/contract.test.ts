// The app reads the shared examples (docs/contracts) with the shared schemas.
import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";
import * as z from "zod/mini";

import { ReportSchema } from "../../../shared/contracts/job-report.ts";
import { ProjectSchema } from "../../../shared/contracts/project.ts";
import { STAGES } from "../../../shared/stages.ts";

const example = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`../../../../docs/contracts/${name}.json`, import.meta.url), "utf8")) as Record<string, unknown>;

describe("the shared examples", () => {
  it("include a project with progress and preview", () => {
    const project = z.parse(ProjectSchema, example("project"));
    expect(project.state).toBe("running");
    expect(project.progress?.preview).toEqual({ artifact: "preview.sog", seq: 3 });
    expect(project.started_at).toBe("2026-11-23T16:53:02Z");
  });

  it("include a report with the reason for each rejected photo", () => {
    const report = z.parse(ReportSchema, example("job-report"));
    expect(report.photos.rejected[0]?.name).toBe("0007.jpg");
    expect(report.price?.estimate).toBe(true);
    expect(report.stages.map(({ stage }) => stage)).toEqual([...STAGES]);
  });

  it("include a failure that fits into a project", () => {
    const project = { ...example("project"), state: "failed", error: example("job-failure").error };
    expect(z.parse(ProjectSchema, project).error?.code).toBe("TOO_FEW_PHOTOS");
  });
});

describe("a project from a newer or broken server", () => {
  it("may have unknown keys", () => {
    expect(z.parse(ProjectSchema, { ...example("project"), flavour: "mint" })).not.toHaveProperty("flavour");
  });

  it("is rejected with the path of the invalid value", () => {
    const result = z.safeParse(ProjectSchema, { ...example("project"), photos: { count: "many", bytes: 1 } });
    expect(result.error?.issues[0]?.path).toEqual(["photos", "count"]);
  });

  it("is rejected in an unknown state", () => {
    expect(z.safeParse(ProjectSchema, { ...example("project"), state: "baking" }).success).toBe(false);
  });
});
