// The presets in plain words.
// Never knows their numbers: seconds and prices come from the server's estimate.

export interface PresetWords {
  label: string;
  words: string;
}

const WORDS: Record<string, PresetWords> = {
  preview: { label: "Preview", words: "A quick look: is everything covered?" },
  standard: { label: "Standard", words: "Good to show and to share." },
  high: { label: "High", words: "Finest detail, for what you want to keep." },
};

/** A preset that this page has no words for is still offered, by its name. */
export const presetWords = (preset: string): PresetWords => WORDS[preset] ?? { label: preset, words: "" };
