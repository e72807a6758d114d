// Seconds per stage over several jobs.
import { expect, test } from "vitest";

import { percentile, summarise } from "../../../src/account/overview.ts";

test.each([
  [[7], 50, 7],
  [[7], 95, 7],
  [[1, 2, 3, 4], 50, 2],
  [[1, 2, 3, 4, 5], 50, 3],
  [Array.from({ length: 100 }, (_, index) => index + 1), 95, 95],
  [Array.from({ length: 10 }, (_, index) => index + 1), 95, 10],
])("of %j the percentile %i is %i", (sorted, percent, value) => expect(percentile(sorted, percent)).toBe(value));

test("stages stand in the order of a job, and stages that no job had are absent", () => {
  const jobs = [[{ stage: "train", seconds: 60 }, { stage: "sfm", seconds: 9 }], [{ stage: "train", seconds: 20 }], []];
  expect(summarise(jobs)).toEqual([
    { stage: "sfm", jobs: 1, p50_s: 9, p95_s: 9 },
    { stage: "train", jobs: 2, p50_s: 20, p95_s: 60 },
  ]);
  expect(summarise([])).toEqual([]);
});
