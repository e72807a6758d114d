// The presets in plain words.
// Never holds their numbers: time and price come from the server's estimate.
import type { Preset } from "../../../../shared/stages.ts";

export const PRESET_WORDS: Record<Preset, { label: string; words: string }> = {
  preview: { label: "Preview", words: "A quick look: is everything covered?" },
  standard: { label: "Standard", words: "Good to show and to share." },
  high: { label: "High", words: "Finest detail, for what you want to keep." },
};
