// How sharp a photo is, by itself and compared with the others of its set. A hint, never a reason to reject it.
// Pure arithmetic on grey values.

/** A photo below this share of the set's median counts as soft. */
const SOFT_SHARE = 0.35;
/**
 * Below this, a photo is blurred whatever the others are like. Sharp photos at 512 px have 0.25 to 1.4 (our samples and
 * two public sets, 2026-11-30); a blur of 1 px leaves 0.017 or more, one of 2 px at most 0.007.
 */
const BLURRED_BELOW = 0.012;
/** With fewer photos the median means little. */
const SET_MIN = 5;

/**
 * Variance of the Laplacian divided by the variance of the image, so that a dull but sharp wall does not
 * count as blurred. rgba: width * height * 4 bytes. Returns 0 for a flat image.
 */
export function sharpness(rgba: Uint8ClampedArray, width: number, height: number): number {
  const grey = new Float32Array(width * height);
  for (let i = 0; i < grey.length; i += 1) {
    grey[i] = 0.299 * (rgba[4 * i] ?? 0) + 0.587 * (rgba[4 * i + 1] ?? 0) + 0.114 * (rgba[4 * i + 2] ?? 0);
  }
  const picture = new Moments();
  const edges = new Moments();
  const at = (i: number): number => grey[i] ?? 0;
  for (let y = 1; y < height - 1; y += 1) {
    for (let x = 1; x < width - 1; x += 1) {
      const i = y * width + x;
      picture.add(at(i));
      edges.add(4 * at(i) - at(i - 1) - at(i + 1) - at(i - width) - at(i + width));
    }
  }
  return picture.variance < 1e-6 ? 0 : edges.variance / picture.variance;
}

class Moments {
  #n = 0;
  #sum = 0;
  #squares = 0;

  add(value: number): void {
    this.#n += 1;
    this.#sum += value;
    this.#squares += value * value;
  }

  get variance(): number {
    if (this.#n === 0) return 0;
    const mean = this.#sum / this.#n;
    return Math.max(0, this.#squares / this.#n - mean * mean);
  }
}

/** An unknown score never counts as blurred. */
export const isBlurred = (score: number | null): boolean => score !== null && score < BLURRED_BELOW;

/** Indices of the soft photos. An unknown score (null) never counts as soft. */
export function softPhotos(scores: readonly (number | null)[]): Set<number> {
  const known = scores.filter((score) => score !== null).toSorted((a, b) => a - b);
  if (known.length < SET_MIN) return new Set();
  const median = known[Math.floor(known.length / 2)] ?? 0;
  return new Set(scores.flatMap((score, i) => (score !== null && score < SOFT_SHARE * median ? [i] : [])));
}
