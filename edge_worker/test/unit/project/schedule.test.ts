// When the alarm of a project rings next.
import { describe, expect, test } from "vitest";

import { NEW_JOB, type Job } from "../../../src/project/job/state.ts";
import { nextAlarm } from "../../../src/project/job/schedule.ts";

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);

describe("the next alarm", () => {
  const queued: Job = { ...NEW_JOB, state: "queued", attempt: 1, runpodId: "r", submittedAt: NOW, deadlineAt: NOW + 7_200_000 };
  const none = { askedAt: 0, hurry: false };

  test.each([
    ["nothing under way", NEW_JOB, none, null],
    ["just queued", queued, { askedAt: NOW, hurry: false }, 5_000],
    ["in the account's queue", { ...queued, runpodId: null, place: 3, deadlineAt: null }, { askedAt: NOW, hurry: false }, 5_000],
    ["queued for five minutes", { ...queued, submittedAt: NOW - 300_000 }, { askedAt: NOW, hurry: false }, 15_000],
    ["queued for an hour", { ...queued, submittedAt: NOW - 3_600_000 }, { askedAt: NOW, hurry: false }, 60_000],
    ["running and talking", { ...queued, state: "running" as const, heardAt: NOW - 1000 }, { askedAt: NOW, hurry: false }, 30_000],
    ["running in silence", { ...queued, state: "running" as const, heardAt: NOW - 60_000 }, { askedAt: NOW, hurry: false }, 15_000],
    ["a hook that could not be followed up", queued, { askedAt: NOW, hurry: true }, 2_000],
    ["a deadline before the next question", { ...queued, deadlineAt: NOW + 1_000 }, { askedAt: NOW, hurry: false }, 1_000],
    ["a deadline in the past", { ...queued, deadlineAt: NOW - 1_000 }, { askedAt: NOW, hurry: false }, 0],
    ["a cancel to repeat", { ...NEW_JOB, state: "cancelled" as const, toCancel: ["r"] }, none, 10_000],
  ])("with %s is right", (_what, job, more, inMs) => {
    expect(nextAlarm(job, NOW, more)).toBe(inMs === null ? null : NOW + inMs);
  });
});
