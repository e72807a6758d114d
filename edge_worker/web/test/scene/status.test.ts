// The words for a project in each state.
import { describe, expect, it } from "vitest";

import { STATES } from "../../../shared/stages.ts";
import { cancelQuestion, deleteQuestion, queueWords, stateWords } from "../../src/scene/status.ts";

const none = { photos: { count: 0, bytes: 0 }, place: null, started_at: null };
const some = { photos: { count: 24, bytes: 1 }, place: null, started_at: null };

describe("a project in a list", () => {
  it("has other words in every state", () => {
    expect(new Set(STATES.map((state) => stateWords({ state, place: null }))).size).toBe(STATES.length);
  });

  it("is uploading while a tab uploads it, and only then", () => {
    expect(stateWords({ state: "uploading", place: null }, true)).toBe("Uploading");
    expect(stateWords({ state: "new", place: null }, true)).toBe("Uploading");
    expect(stateWords({ state: "uploading", place: null })).toBe("Upload incomplete");
    expect(stateWords({ state: "running", place: null }, true)).toBe("In progress");
  });

  it("shows its place in the queue", () => {
    expect(stateWords({ state: "queued", place: 3 })).toBe("Number 3 in the queue");
  });
});

it("a job that waits says for what, and how many are before it", () => {
  expect(queueWords(null).sentence).toContain("A worker is starting");
  expect([1, 2, 3].map((place) => queueWords(place).sentence.split("turn. ")[1])).toEqual(["It is next.", "1 job in the queue is before it.", "2 jobs in the queue are before it."]);
});

describe("the question before cancelling", () => {
  it("speaks of charges only while a worker runs", () => {
    expect(cancelQuestion({ state: "running", place: null })).toMatchObject({ text: expect.stringContaining("charges"), keep: "Keep running" });
    expect(cancelQuestion({ state: "queued", place: 2 })).toMatchObject({ text: expect.stringMatching(/leaves the queue and costs nothing/), keep: "Keep waiting" });
    expect(cancelQuestion({ state: "queued", place: null }).text).not.toContain("stops");
  });
});

describe("the question before deleting", () => {
  it("names only what is there", () => {
    expect(deleteQuestion({ state: "new", ...none }, "Teapot").text).toBe("There are no photos in it yet.");
    expect(deleteQuestion({ state: "done", ...some }, "Teapot").text).toBe("This permanently deletes 24 photos and the scene with its downloads. Share links stop working. It cannot be undone.");
    expect(deleteQuestion({ state: "running", ...some }, "Teapot").text).toBe("This permanently deletes 24 photos. Its job is cancelled. It cannot be undone.");
  });
});
