// Every state and event, then random histories: final states hold, results stay, no two jobs.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import reportExample from "../../../../docs/contracts/job-report.json";
import { ReportSchema } from "../../../shared/contracts/job-report.ts";
import { ACTIVE, FINAL, STATES, type State } from "../../../shared/stages.ts";
import type { Failure } from "../../../src/project/job/outcome.ts";
import { NEW_JOB, transition, type Event, type EventType, type Job } from "../../../src/project/job/state.ts";

const NOW = 1_000_000;
const DEADLINE = NOW + 1_000;
const FAILURE: Failure = { code: "SFM_FAILED", message: "No overlap.", hint: null, stage: "sfm" };
const REPORT = ReportSchema.parse(reportExample);
const NOTICE = { message: "RunPod is busy.", hint: null, until: NOW + 5 };
const PROGRESS = { stage: "train", fraction: 0.5, message: "half", eta_s: 1, preview: null, cameras: null, at: "2026-11-23T00:00:00Z" };

const OPEN_JOB = { ...NEW_JOB };
const ATTEMPT: Job = { ...NEW_JOB, attempt: 1, preset: "preview", runpodId: "r1", deadlineAt: DEADLINE, submittedAt: NOW - 10 };
const JOBS: Readonly<Record<State, Job>> = {
  new: OPEN_JOB,
  uploading: { ...OPEN_JOB, state: "uploading" },
  ready: { ...OPEN_JOB, state: "ready" },
  queued: { ...ATTEMPT, state: "queued" },
  running: { ...ATTEMPT, state: "running", startedAt: NOW - 5 },
  done: { ...ATTEMPT, state: "done", startedAt: NOW - 5, finishedAt: NOW - 1, report: REPORT },
  failed: { ...ATTEMPT, state: "failed", finishedAt: NOW - 1, error: FAILURE },
  cancelled: { ...ATTEMPT, state: "cancelled", finishedAt: NOW - 1 },
};

const EVENTS: Readonly<Record<EventType, Event>> = {
  photos: { type: "photos", declared: 6, uploaded: 6 },
  start: { type: "start", preset: "high", deadlineAt: DEADLINE },
  submitted: { type: "submitted", attempt: 1, runpodId: "r1" },
  submit_refused: { type: "submit_refused", attempt: 1, failure: FAILURE },
  submit_unknown: { type: "submit_unknown", attempt: 1, adoptUntil: NOW + 500 },
  submit_busy: { type: "submit_busy", attempt: 1, retryAt: NOW + 5, notice: NOTICE },
  workers: { type: "workers", attempt: 1, notice: NOTICE },
  found: { type: "found", attempt: 1, runpodId: "r1" },
  in_queue: { type: "in_queue", attempt: 1 },
  in_progress: { type: "in_progress", attempt: 1 },
  progress: { type: "progress", attempt: 1, seq: 3, progress: PROGRESS },
  completed: { type: "completed", attempt: 1, report: REPORT },
  failed: { type: "failed", attempt: 1, failure: FAILURE },
  cancelled_remotely: { type: "cancelled_remotely", attempt: 1 },
  clock: { type: "clock", attempt: 1 },
  wait: { type: "wait", preset: "high", place: 2 },
  place: { type: "place", attempt: 1, place: 1 },
  turn: { type: "turn", attempt: 1, deadlineAt: DEADLINE },
  cancel: { type: "cancel" },
  cancel_confirmed: { type: "cancel_confirmed", runpodId: "r1" },
};

/** State after the event of that name, for an attempt that has its RunPod id and time left; "=" is no change of state. */
const TABLE: Readonly<Record<EventType, Readonly<Record<State, State | "=">>>> = {
  //                   new        uploading  ready      queued        running       done       failed     cancelled
  photos:             { new: "ready", uploading: "ready", ready: "=", queued: "=", running: "=", done: "=", failed: "=", cancelled: "=" },
  start:              { new: "=", uploading: "=", ready: "queued", queued: "=", running: "=", done: "queued", failed: "queued", cancelled: "queued" },
  wait:               { new: "=", uploading: "=", ready: "queued", queued: "=", running: "=", done: "queued", failed: "queued", cancelled: "queued" },
  place:              { new: "=", uploading: "=", ready: "=", queued: "=", running: "=", done: "=", failed: "=", cancelled: "=" },
  turn:               { new: "=", uploading: "=", ready: "=", queued: "=", running: "=", done: "=", failed: "=", cancelled: "=" },
  submitted:          { new: "=", uploading: "=", ready: "=", queued: "=", running: "=", done: "=", failed: "=", cancelled: "=" },
  submit_refused:     { new: "=", uploading: "=", ready: "=", queued: "=", running: "=", done: "=", failed: "=", cancelled: "=" },
  submit_unknown:     { new: "=", uploading: "=", ready: "=", queued: "=", running: "=", done: "=", failed: "=", cancelled: "=" },
  submit_busy:        { new: "=", uploading: "=", ready: "=", queued: "=", running: "=", done: "=", failed: "=", cancelled: "=" },
  workers:            { new: "=", uploading: "=", ready: "=", queued: "=", running: "=", done: "=", failed: "=", cancelled: "=" },
  found:              { new: "=", uploading: "=", ready: "=", queued: "=", running: "=", done: "=", failed: "=", cancelled: "=" },
  in_queue:           { new: "=", uploading: "=", ready: "=", queued: "=", running: "=", done: "=", failed: "=", cancelled: "=" },
  in_progress:        { new: "=", uploading: "=", ready: "=", queued: "running", running: "=", done: "=", failed: "=", cancelled: "=" },
  progress:           { new: "=", uploading: "=", ready: "=", queued: "running", running: "=", done: "=", failed: "=", cancelled: "=" },
  completed:          { new: "=", uploading: "=", ready: "=", queued: "done", running: "done", done: "=", failed: "=", cancelled: "=" },
  failed:             { new: "=", uploading: "=", ready: "=", queued: "failed", running: "failed", done: "=", failed: "=", cancelled: "=" },
  cancelled_remotely: { new: "=", uploading: "=", ready: "=", queued: "cancelled", running: "cancelled", done: "=", failed: "=", cancelled: "=" },
  clock:              { new: "=", uploading: "=", ready: "=", queued: "=", running: "=", done: "=", failed: "=", cancelled: "=" },
  cancel:             { new: "=", uploading: "=", ready: "=", queued: "cancelled", running: "cancelled", done: "=", failed: "=", cancelled: "=" },
  cancel_confirmed:   { new: "=", uploading: "=", ready: "=", queued: "=", running: "=", done: "=", failed: "=", cancelled: "=" },
};

const ROWS = Object.keys(TABLE).flatMap((type) =>
  STATES.map((state) => {
    const to = TABLE[type as EventType][state];
    return { type: type as EventType, state, to: to === "=" ? state : to };
  }),
);

describe("the table", () => {
  test.each(ROWS)("$type in $state gives $to", ({ type, state, to }) => {
    expect(transition(JOBS[state], EVENTS[type], NOW).state).toBe(to);
  });

  test.each(ROWS.filter(({ state }) => FINAL.has(state)).filter(({ type }) => type !== "start" && type !== "wait"))(
    "$type leaves everything but late cancels of $state as it was",
    ({ type, state }) => {
      const { toCancel: _before, ...before } = JOBS[state];
      const { toCancel: _after, ...after } = transition(JOBS[state], EVENTS[type], NOW);
      expect(after).toEqual(before);
    },
  );

  test.each(Object.values(EVENTS).filter((event) => "attempt" in event))("$type of an older attempt changes nothing but late cancels", (event) => {
    const second: Job = { ...JOBS.running, attempt: 2, runpodId: "r2" };
    const { toCancel, ...after } = transition(second, event, NOW);
    const { toCancel: _none, ...before } = second;
    expect(after).toEqual(before);
    expect(toCancel).toEqual(event.type === "submitted" || event.type === "found" ? ["r1"] : []);
  });
});

test("the reason of a cancel becomes the attempt's error; without a reason there is none", () => {
  expect(transition(JOBS.running, { type: "cancel", reason: "It is taken down." }, NOW).error).toEqual({
    code: "CANCELLED",
    message: "It is taken down.",
    hint: null,
    stage: null,
  });
  expect(transition(JOBS.running, { type: "cancel" }, NOW).error).toBe(null);
});

describe("photos", () => {
  test.each([
    { declared: 0, uploaded: 0, state: "new" },
    { declared: 3, uploaded: 0, state: "uploading" },
    { declared: 3, uploaded: 2, state: "uploading" },
    { declared: 3, uploaded: 3, state: "ready" },
  ])("$declared declared and $uploaded uploaded is $state", ({ declared, uploaded, state }) => {
    for (const from of ["new", "uploading", "ready"] as const) {
      expect(transition(JOBS[from], { type: "photos", declared, uploaded }, NOW).state).toBe(state);
    }
  });
});

describe("an attempt", () => {
  const queued: Job = { ...ATTEMPT, state: "queued", runpodId: null };

  test("starts fresh, except for its number and the pending cancels", () => {
    const failed: Job = { ...JOBS.failed, toCancel: ["r0"], progress: PROGRESS, progressSeq: 9 };
    expect(transition(failed, EVENTS.start, NOW)).toEqual({
      ...NEW_JOB,
      state: "queued",
      attempt: 2,
      preset: "high",
      deadlineAt: DEADLINE,
      submittedAt: NOW,
      toCancel: ["r0"],
    });
  });

  test("that RunPod rejects has failed, unless it was accepted after all", () => {
    expect(transition(queued, EVENTS.submit_refused, NOW)).toMatchObject({ state: "failed", error: FAILURE });
    expect(transition({ ...queued, runpodId: "r1" }, EVENTS.submit_refused, NOW).state).toBe("queued");
  });

  test("whose submission got lost fails when it is not recognised in time", () => {
    const unknown = transition(queued, EVENTS.submit_unknown, NOW);
    expect(transition(unknown, EVENTS.clock, NOW + 499).state).toBe("queued");
    expect(transition(unknown, EVENTS.clock, NOW + 500)).toMatchObject({ state: "failed", error: { code: "UPSTREAM" } });
  });

  test("whose submission got lost is recognised by its worker's progress or by its id", () => {
    const unknown = transition(queued, EVENTS.submit_unknown, NOW);
    const heard = transition(unknown, EVENTS.progress, NOW + 1);
    expect(transition(heard, EVENTS.clock, NOW + 600).state).toBe("running");
    const found = transition(unknown, EVENTS.found, NOW + 1);
    expect(transition(found, EVENTS.clock, NOW + 600)).toMatchObject({ state: "queued", runpodId: "r1" });
  });

  test("that was given up cancels its job when the id arrives after all", () => {
    const lost = transition(transition(queued, EVENTS.submit_unknown, NOW), EVENTS.clock, NOW + 500);
    expect(transition(lost, EVENTS.submitted, NOW + 600)).toMatchObject({ state: "failed", toCancel: ["r1"] });
  });

  test("that has two jobs keeps the first and cancels the second", () => {
    const twice = transition(JOBS.running, { type: "found", attempt: 1, runpodId: "r9" }, NOW);
    expect(twice).toMatchObject({ runpodId: "r1", toCancel: ["r9"] });
  });

  test("fails at its deadline, and its job is cancelled", () => {
    expect(transition(JOBS.running, EVENTS.clock, DEADLINE)).toMatchObject({ state: "failed", error: { code: "TIME_LIMIT" }, toCancel: ["r1"] });
  });

  test("repeats its cancel until RunPod confirms", () => {
    const cancelled = transition(JOBS.running, EVENTS.cancel, NOW);
    expect(cancelled.toCancel).toEqual(["r1"]);
    expect(transition(cancelled, EVENTS.cancel_confirmed, NOW).toCancel).toEqual([]);
  });

  test("waits in the account's queue until its turn, and only then has a deadline", () => {
    const waiting = transition(JOBS.ready, EVENTS.wait, NOW);
    expect(waiting).toMatchObject({ state: "queued", attempt: 1, place: 2, deadlineAt: null, runpodId: null });
    const next = transition(waiting, EVENTS.place, NOW);
    expect(next.place).toBe(1);
    expect(transition(next, EVENTS.place, NOW)).toBe(next);
    expect(transition(next, EVENTS.turn, NOW + 1)).toMatchObject({ state: "queued", place: null, deadlineAt: DEADLINE, submittedAt: NOW + 1 });
    expect(transition(next, EVENTS.cancel, NOW)).toMatchObject({ state: "cancelled", place: null, toCancel: [] });
    // A row of an older version has no place.
    const { place: _, ...old } = JOBS.queued;
    expect(transition(old, EVENTS.turn, NOW)).toBe(old);
  });

  test("keeps the last preview while messages without one follow, until the next attempt", () => {
    const preview = { artifact: "preview.sog", seq: 4 };
    const pictured = transition(JOBS.running, { type: "progress", attempt: 1, seq: 4, progress: { ...PROGRESS, preview } }, NOW);
    const later = transition(pictured, { type: "progress", attempt: 1, seq: 5, progress: { ...PROGRESS, fraction: 0.7, preview: null } }, NOW);
    expect([later.progress?.fraction, later.progress?.preview]).toEqual([0.7, preview]);
    const newer = transition(later, { type: "progress", attempt: 1, seq: 6, progress: { ...PROGRESS, preview: { ...preview, seq: 6 } } }, NOW);
    expect(newer.progress?.preview?.seq).toBe(6);
    const again = transition(transition(newer, EVENTS.failed, NOW), EVENTS.start, NOW);
    expect(again.progress).toBe(null);
  });

  test("keeps the cameras found so far while messages without them follow", () => {
    const cameras: [number, number, number, number][] = [[0, -100, 0, 100]];
    const found = transition(JOBS.running, { type: "progress", attempt: 1, seq: 4, progress: { ...PROGRESS, cameras } }, NOW);
    expect(transition(found, { type: "progress", attempt: 1, seq: 5, progress: PROGRESS }, NOW).progress?.cameras).toEqual(cameras);
    // Rows of older versions have no such field.
    const { cameras: _, ...older } = PROGRESS;
    const old = { ...JOBS.running, progress: older as typeof PROGRESS };
    expect(transition(old, { type: "progress", attempt: 1, seq: 9, progress: PROGRESS }, NOW).progress?.cameras).toBeNull();
  });

  test("takes progress in order only", () => {
    const later = transition(JOBS.running, EVENTS.progress, NOW);
    const earlier = transition(later, { type: "progress", attempt: 1, seq: 2, progress: { ...PROGRESS, fraction: 0.1 } }, NOW);
    expect(earlier.progress?.fraction).toBe(0.5);
  });
});


const attempt = fc.integer({ min: 0, max: 3 });
const id = fc.constantFrom("r1", "r2", "r3");
const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ type: fc.constant("photos" as const), declared: fc.nat(3), uploaded: fc.nat(3) }),
  fc.record({ type: fc.constant("start" as const), preset: fc.constant("preview" as const), deadlineAt: fc.integer({ min: 1, max: 200 }) }),
  fc.record({ type: fc.constantFrom("submitted" as const, "found" as const), attempt, runpodId: id }),
  fc.record({ type: fc.constantFrom("submit_refused" as const, "failed" as const), attempt, failure: fc.constant(FAILURE) }),
  fc.record({ type: fc.constant("submit_unknown" as const), attempt, adoptUntil: fc.integer({ min: 1, max: 200 }) }),
  fc.record({ type: fc.constantFrom("in_queue" as const, "in_progress" as const, "cancelled_remotely" as const, "clock" as const), attempt }),
  fc.record({ type: fc.constant("progress" as const), attempt, seq: fc.nat(5), progress: fc.constant(PROGRESS) }),
  fc.record({ type: fc.constant("completed" as const), attempt, report: fc.constant(REPORT) }),
  fc.constant({ type: "cancel" as const }),
  fc.record({ type: fc.constant("cancel_confirmed" as const), runpodId: id }),
);
const history = fc.array(anyEvent, { maxLength: 60 });

/** Runs a history, one ms per event, and hands every step to `check`. */
function walk(events: readonly Event[], check: (before: Job, event: Event, after: Job, now: number) => void): Job {
  let job: Job = { ...NEW_JOB, state: "ready" };
  events.forEach((event, now) => {
    const after = transition(job, event, now);
    check(job, event, after, now);
    job = after;
  });
  return job;
}

describe("any history of events", () => {
  const holds = (property: (before: Job, event: Event, after: Job, now: number) => void): void => {
    fc.assert(
      fc.property(history, (events) => {
        walk(events, property);
      }),
      { numRuns: 500 },
    );
  };

  test("leaves a final state only by a start", () => {
    holds((before, event, after) => {
      if (FINAL.has(before.state) && event.type !== "start") expect(after.state).toBe(before.state);
    });
  });

  test("never loses a report or an error of the attempt it belongs to", () => {
    holds((before, _event, after) => {
      if (after.attempt === before.attempt && before.report !== null) expect(after.report).toBe(before.report);
      if (after.attempt === before.attempt && before.error !== null) expect(after.error).toBe(before.error);
    });
  });

  test("counts attempts up by one, and only when none is active", () => {
    holds((before, _event, after) => {
      if (after.attempt === before.attempt) return;
      expect(after.attempt).toBe(before.attempt + 1);
      expect(ACTIVE.has(before.state)).toBe(false);
    });
  });

  test("never forgets an id: it is current, to be cancelled, or finished", () => {
    holds((before, event, after) => {
      if (event.type !== "submitted" && event.type !== "found") return;
      const kept = after.runpodId === event.runpodId || after.toCancel.includes(event.runpodId);
      const over = before.state === "done" && event.attempt === before.attempt;
      expect(kept || over).toBe(true);
    });
  });

  test("holds at most one RunPod job, and never swaps it within an attempt", () => {
    holds((before, _event, after) => {
      if (after.attempt === before.attempt && before.runpodId !== null) expect(after.runpodId).toBe(before.runpodId);
    });
  });

  test("ends by its deadline, whatever happens", () => {
    fc.assert(
      fc.property(history, (events) => {
        const job = walk(events, () => undefined);
        if (!ACTIVE.has(job.state)) return;
        expect(FINAL.has(transition(job, { type: "clock", attempt: job.attempt }, 1_000_000).state)).toBe(true);
      }),
    );
  });

  test("has an end time exactly in a final state", () => {
    holds((_before, _event, after) => {
      expect(after.finishedAt !== null).toBe(FINAL.has(after.state));
      expect(after.report !== null).toBe(after.state === "done");
      expect(after.error !== null).toBe(after.state === "failed");
    });
  });
});
