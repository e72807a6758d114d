// How long a job will take and what it will cost, from figures measured and, once there are some, from past reports.
// Pure; an estimate is for people and for the budget's reservation, never a promise.
import type { Estimate } from "../../shared/contracts/api.ts";
import type { Price } from "../../shared/contracts/price.ts";
import type { Preset } from "../../shared/stages.ts";

export interface Sample {
  readonly preset: Preset;
  readonly photos: number;
  /** Seconds that were billed. */
  readonly seconds: number;
}

/**
 * Before any job has run: seconds = fixed + perPhoto * photos, on one 24 GB GPU.
 * Own first guesses (2026-11-23), deliberately on the high side; one finished job replaces them.
 */
const FIRST_GUESS: Readonly<Record<Preset, { readonly fixed: number; readonly perPhoto: number }>> = {
  preview: { fixed: 60, perPhoto: 1.5 },
  standard: { fixed: 240, perPhoto: 3 },
  high: { fixed: 720, perPhoto: 6 },
};

/** Past jobs that count, newest first. */
export const SAMPLES_MAX = 20;

/** samples: past jobs of any preset, newest first; only those of `preset` are used. */
export function estimate(preset: Preset, photos: number, samples: readonly Sample[], price: Price): Estimate {
  const guess = (count: number): number => FIRST_GUESS[preset].fixed + FIRST_GUESS[preset].perPhoto * count;
  // Each past job tells how much slower or faster than the guess this installation is; the median forgives outliers.
  const factors = samples
    .filter((sample) => sample.preset === preset)
    .slice(0, SAMPLES_MAX)
    .map((sample) => sample.seconds / guess(sample.photos));
  const seconds = Math.max(1, Math.round(guess(photos) * median(factors, 1)));
  return {
    seconds,
    usd: roundUsd(seconds * price.usd_per_s),
    basis:
      factors.length === 0
        ? "A first guess: no job of this preset has run here yet."
        : `The median of the last ${factors.length} ${factors.length === 1 ? "job" : "jobs"} of this preset here.`,
    price,
  };
}

export function roundUsd(usd: number): number {
  return Math.round(usd * 10_000) / 10_000;
}

function median(values: readonly number[], otherwise: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return otherwise;
  if (sorted.length % 2 === 1) return sorted[middle] ?? otherwise;
  return ((sorted[middle - 1] ?? otherwise) + (sorted[middle] ?? otherwise)) / 2;
}
