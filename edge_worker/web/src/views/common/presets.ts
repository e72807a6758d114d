// What the app calls the presets. Time and price come from the server's estimate.
import type { Preset } from "../../../../shared/stages.ts";

export const PRESET_WORDS: Record<Preset, { label: string; words: string }> = {
  preview: { label: "Preview", words: "A quick check that everything is covered." },
  standard: { label: "Standard", words: "Good for showing and sharing." },
  high: { label: "High", words: "The finest detail, for scenes worth keeping." },
};
