// Texts of the real size of a scene.
export const SIZE = {
  /** error: relative; null if somebody gave a length. */
  explain: (error: number | null): string =>
    error === null ? "Of the subject, from a length that somebody gave." : `Of the subject, from the positions in the photos' tags, within ${Math.max(1, Math.round(100 * error))} %.`,
} as const;
