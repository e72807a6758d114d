// How long a job will take and what it will cost, by a first guess, then by past reports.
// Pure; an estimate is for people and for the budget's reservation, not a promise.
import type { Estimate } from "../../shared/contracts/api.ts";
import type { Price } from "../../shared/contracts/price.ts";
import { PRESETS, type Preset } from "../../shared/stages.ts";

export interface Sample {
  readonly preset: Preset;
  readonly photos: number;
  /** Seconds that were billed. */
  readonly seconds: number;
}

/**
 * Before any job has run: seconds = fixed + perPhoto * photos, on one 24 GB GPU.
 * Our own guesses (2026-11-23), deliberately high; one finished job replaces them.
 */
const FIRST_GUESS: Readonly<Record<Preset, { readonly fixed: number; readonly perPhoto: number }>> = {
  preview: { fixed: 60, perPhoto: 1.5 },
  standard: { fixed: 240, perPhoto: 3 },
  high: { fixed: 720, perPhoto: 6 },
};

/** Past jobs that count, newest first. */
export const SAMPLES_MAX = 20;

/** samples: past jobs of any preset, newest first. A finer preset never gets less than a coarser one. */
export function estimate(preset: Preset, photos: number, samples: readonly Sample[], price: Price): Pick<Estimate, "seconds" | "usd" | "basis" | "price"> {
  const { seconds: exact, basis } = forecast(preset, photos, samples);
  const seconds = Math.max(1, Math.round(exact));
  return { seconds, usd: roundUsd(seconds * price.usd_per_s), basis, price };
}

/** A past job that applied an edit. */
export interface EditSample {
  readonly gaussians: number;
  readonly seconds: number;
}

/** Before any edit was applied: seconds = fixed + perGaussian * Gaussians, on two cores. From the time that the worker reserves for the same files (splat_worker/job/run.py). */
const EDIT_GUESS = { fixed: 8, perGaussian: 8e-5 } as const;

/** gaussians: of the scene before the edit. */
export function estimateEdit(gaussians: number, samples: readonly EditSample[], price: Price): Pick<Estimate, "seconds" | "usd" | "basis" | "price"> {
  const first = (n: number): number => EDIT_GUESS.fixed + EDIT_GUESS.perGaussian * n;
  const factors = samples.slice(0, SAMPLES_MAX).map((one) => one.seconds / first(one.gaussians));
  const seconds = Math.max(1, Math.round(first(gaussians) * (factors.length === 0 ? 1 : median(factors))));
  const basis = factors.length === 0 ? "First guess: no edit was applied here yet." : `${factors.length === 1 ? "From the last edit" : `Median of the last ${factors.length} edits`}.`;
  return { seconds, usd: roundUsd(seconds * price.usd_per_s), basis, price };
}

interface Forecast {
  readonly seconds: number;
  readonly basis: string;
}

const guess = (preset: Preset, photos: number): number => FIRST_GUESS[preset].fixed + FIRST_GUESS[preset].perPhoto * photos;

function forecast(preset: Preset, photos: number, samples: readonly Sample[]): Forecast {
  // Each past job shows how much slower or faster than the guess this installation is; the median ignores outliers.
  const factors = new Map(PRESETS.map((one) => [one, factorsOf(samples.filter((sample) => sample.preset === one))]));
  const all = [...factors.values()].flat();
  if (all.length === 0) return { seconds: guess(preset, photos), basis: "First guess: no job has run here yet." };
  const own = (one: Preset): Forecast => {
    const known = factors.get(one) ?? [];
    if (known.length > 0) return { seconds: guess(one, photos) * median(known), basis: `${known.length === 1 ? "From" : "Median of"} the last ${jobs(known.length)} with this preset.` };
    return { seconds: guess(one, photos) * median(all), basis: `Scaled from the last ${jobs(all.length)} with ${all.length === 1 ? "another preset" : "other presets"}.` };
  };
  // The preset with the most jobs is believed as it is. From it outwards, each one is at least as long as the next coarser one.
  const weight = (one: Preset): number => factors.get(one)?.length ?? 0;
  const anchor = PRESETS.reduce((best, one) => (weight(one) > weight(best) ? one : best));
  const [at, asked] = [PRESETS.indexOf(anchor), PRESETS.indexOf(preset)];
  const step = asked < at ? -1 : 1;
  let found = own(anchor);
  for (let i = at; i !== asked; i += step) {
    const next = own(PRESETS[i + step] ?? preset);
    const inOrder = step > 0 ? next.seconds >= found.seconds : next.seconds <= found.seconds;
    found = inOrder ? next : { seconds: found.seconds, basis: `From the last ${jobs(weight(anchor))} with preset ${anchor}.` };
  }
  return found;
}

function factorsOf(samples: readonly Sample[]): number[] {
  return samples.slice(0, SAMPLES_MAX).map(({ preset, photos, seconds }) => seconds / guess(preset, photos));
}

const jobs = (n: number): string => (n === 1 ? "job" : `${n} jobs`);

export function roundUsd(usd: number): number {
  return Math.round(usd * 10_000) / 10_000;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 1;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
