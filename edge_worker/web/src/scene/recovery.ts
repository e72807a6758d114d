// What to do when a scene cannot be shown: which failures pass by themselves, how long to try, and what to say at the end.
// Pure. Statuses are those of the scene's file, 0 when the server could not be reached.

/** Waits between tries in ms: half a minute in all, for phones that wake up and servers that restart. */
const WAITS_MS = [1000, 2000, 4000, 8000, 16_000];

/** How long to wait before try `n` (from 1) of a file that was answered with `status`, or null to give up. */
export function fetchAgainIn(n: number, status: number): number | null {
  const passes = status === 0 || status === 429 || status >= 500;
  return passes ? (WAITS_MS[n - 1] ?? null) : null;
}

/** A device that takes the graphics away again and again would be restarted for ever. */
const RESTORES_MAX = 2;
/** After this long on screen, an interruption counts as the first one again. */
const STEADY_MS = 30_000;

/**
 * How often the scene has come back by itself once it does so now, or null if it waits to be asked.
 * restores: how often it has; shownMs: how long it was on the screen.
 */
export function nextRestore(restores: number, shownMs: number): number | null {
  const before = shownMs >= STEADY_MS ? 0 : restores;
  return before < RESTORES_MAX ? before + 1 : null;
}

export type Trouble = { is: "fetch"; status: number } | { is: "part" } | { is: "engine" } | { is: "file" };

export interface Reason {
  message: string;
  hint: string;
}

export function reasonFor(trouble: Trouble): Reason {
  switch (trouble.is) {
    case "fetch":
      if (trouble.status === 0) return { message: "The scene could not be downloaded.", hint: "Check your connection, then show it again." };
      if (trouble.status === 404) return { message: "The scene's file is missing.", hint: "Reload the page. If it is still missing, make the scene again." };
      return { message: `The scene could not be downloaded: the server answered ${trouble.status}.`, hint: "Show it again in a minute." };
    case "part":
      return { message: "The 3D viewer could not be loaded.", hint: "Check your connection, then reload the page." };
    case "engine":
      return { message: "This browser could not start its 3D graphics.", hint: "Close other tabs with 3D content, or turn on hardware acceleration in the browser's settings. The downloads still work." };
    case "file":
      return { message: "The scene's file could not be read.", hint: "Reload the page. If it happens again, make the scene again." };
  }
}
