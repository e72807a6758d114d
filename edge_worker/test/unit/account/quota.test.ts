// Estimates, quotas and the budget.
import { describe, expect, test } from "vitest";

import configuration from "../../../../Pulumi.yaml?raw";
import type { Limits } from "../../../shared/limits.ts";
import { PRESETS } from "../../../shared/stages.ts";
import { estimate, type Sample } from "../../../src/account/estimate.ts";
import { checkCard, checkQuota, checkUploadQuota, placeInQueue, startOfDay, startOfMonth, startOfNextMonth } from "../../../src/account/quota.ts";
import { BINDINGS } from "../support/bindings.ts";

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);
const LIMITS = JSON.parse(BINDINGS["LIMITS"] ?? "") as Limits;
const PRICE = { gpu: "RTX 4090", usd_per_s: 0.001, as_of: "2026-11-23", source: "test" };

describe("money", () => {
  test("is estimated by a first guess, then by the jobs that ran here", () => {
    expect(estimate("preview", 20, [], PRICE)).toMatchObject({ seconds: 90, usd: 0.09, basis: "First guess: no job has run here yet." });
    const samples: Sample[] = [
      { preset: "preview", photos: 20, seconds: 180 },
      { preset: "preview", photos: 100, seconds: 420 },
      { preset: "preview", photos: 20, seconds: 9000 },
      { preset: "high", photos: 20, seconds: 1 },
    ];
    expect(estimate("preview", 20, samples, PRICE)).toMatchObject({ seconds: 180, basis: "Median of the last 3 jobs with this preset." });
    expect(estimate("preview", 20, samples.slice(0, 2), PRICE).seconds).toBe(180);
  });

  test("of a preset without jobs scales with what the other presets took", () => {
    const slow: Sample[] = [{ preset: "preview", photos: 20, seconds: 900 }];
    const [preview, standard, high] = PRESETS.map((preset) => estimate(preset, 20, slow, PRICE));
    expect([preview?.seconds, standard?.seconds, high?.seconds]).toEqual([900, 3000, 8400]);
    expect(standard?.basis).toBe("Scaled from the last job with another preset.");
  });

  test.each<[string, ...(readonly [number, number])[]]>([
    ["one slow preview among many standard jobs", [1, 900], [10, 300], [0, 0]],
    ["one quick high job after many previews", [10, 300], [0, 0], [1, 20]],
    ["one quick standard job between two presets", [4, 100], [1, 10], [4, 2000]],
    ["only a quick high job", [0, 0], [0, 0], [1, 3]],
  ])("of a finer preset is never below that of a coarser one: %s", (_, ...given) => {
    const samples = PRESETS.flatMap((preset, i) => Array.from({ length: given[i]?.[0] ?? 0 }, (): Sample => ({ preset, photos: 20, seconds: given[i]?.[1] ?? 0 })));
    for (const photos of [5, 20, 300]) {
      const seconds = PRESETS.map((preset) => estimate(preset, photos, samples, PRICE).seconds);
      expect(seconds).toEqual([...seconds].sort((a, b) => a - b));
    }
    const most = PRESETS[given.findIndex(([n]) => n === Math.max(...given.map(([one]) => one)))] ?? "preview";
    expect(estimate(most, 20, samples, PRICE).basis).toMatch(/^(Median of|From) the last .*with this preset\.$/);
  });

  test("jobs beyond the limit of jobs at once wait behind those that wait already", () => {
    const places = [[0, 0], [1, 0], [2, 0], [2, 3], [1, 1], [0, 1]].map(([jobsNow = 0, ahead = 0]) => placeInQueue({ jobsNow }, ahead, LIMITS));
    expect(places).toEqual([null, null, 1, 4, 2, null]);
  });

  test.each([
    ["standard", 942, null],
    ["standard", 943, "Choose preset preview, or use at most 942 photos."],
    ["high", 401, "Choose preset standard, or use at most 400 photos."],
    ["preview", 1001, "Use at most 1000 photos."],
    ["high", 1001, "Use at most 400 photos."],
  ] as const)("a job with preset %s of %i photos is refused where a card is too small: %s", (preset, photos, hint) => {
    const card = { name: "RTX 2000 Ada", memory_gb: 16, photos_max: { preview: 1000, standard: 942, high: 400 } };
    const refusal = checkCard(preset, photos, card);
    expect(refusal?.hint ?? null).toBe(hint);
    if (refusal) expect(refusal.message).toBe(`${photos} photos with preset ${preset} need more memory than the GPU has (RTX 2000 Ada, 16 GB). At most ${card.photos_max[preset]} fit.`);
    expect(checkCard(preset, photos, null)).toBeNull();
  });

  test("is refused with the numbers and until when", () => {
    const usage = { jobsToday: 0, jobsNow: 0, usdThisMonth: 0 };
    expect(checkQuota(usage, LIMITS, 10, NOW)).toBeNull();
    expect(checkQuota({ ...usage, usdThisMonth: 9.5 }, LIMITS, 0.6, NOW)?.refusal).toMatchObject({
      code: "BUDGET_EXCEEDED",
      message: "This job is estimated at $0.60. $0.50 of the monthly budget of $10.00 is left until 1 December.",
    });
    expect(checkQuota({ ...usage, jobsToday: 3 }, LIMITS, 0, NOW)?.refusal).toMatchObject({
      code: "TOO_MANY_REQUESTS",
      message: "The daily limit of 3 jobs is reached until 00:00 UTC.",
      headers: { "retry-after": "43200" },
    });
    expect(checkUploadQuota(0, 20_000, LIMITS, NOW)).toBeNull();
    expect(checkUploadQuota(20_000, 83_886_080, LIMITS, NOW)?.refusal.message).toBe("These photos are 83.9 MB. Your daily upload limit of 20 kB is used up until 00:00 UTC.");
  });

  test("that runs out names a configuration key that exists, for operators only", () => {
    const none = { jobsToday: 0, jobsNow: 0, usdThisMonth: 0 };
    const reached = [
      checkQuota({ ...none, jobsToday: 3 }, LIMITS, 0, NOW),
      checkQuota(none, LIMITS, 11, NOW),
      checkUploadQuota(0, 20_001, LIMITS, NOW),
    ];
    for (const one of reached) {
      expect(configuration).toContain(`\n  ${one?.configurationKey}:\n`);
      expect(JSON.stringify(one?.refusal)).not.toMatch(/configuration|pulumi|raise/);
    }
  });

  test("is counted by UTC days and months", () => {
    expect(new Date(startOfDay(NOW)).toISOString()).toBe("2026-11-23T00:00:00.000Z");
    expect(new Date(startOfMonth(NOW)).toISOString()).toBe("2026-11-01T00:00:00.000Z");
    expect(new Date(startOfNextMonth(Date.UTC(2026, 11, 31, 23))).toISOString()).toBe("2027-01-01T00:00:00.000Z");
  });
});
