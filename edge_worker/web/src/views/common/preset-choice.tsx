// The choice of quality, with the time and price of each before the start.
// Never starts a job.
import { useEffect, useState } from "preact/hooks";

import type { Estimate, Settings } from "../../../../shared/contracts/api.ts";
import type { Preset } from "../../../../shared/stages.ts";
import { api } from "../../api/api.ts";
import { about, day, usd } from "../../lib/format.ts";
import { PRESET_WORDS } from "./presets.ts";

import "./preset-choice.css";

/** No entry: still loading. Null: the server has no estimate. */
type Estimates = ReadonlyMap<Preset, Estimate | null>;

/** Without photos there is nothing to estimate. */
const NONE: Estimates = new Map();

export interface Choice {
  settings: Settings;
  preset: Preset;
  choose: (preset: Preset) => void;
  estimates: Estimates;
}

/** The chosen preset, initially `first`, and the estimates for this number of photos. */
export function useChoice(settings: Settings, photos: number, first?: Preset | null): Choice {
  const [preset, choose] = useState(first ?? settings.presets[0] ?? "preview");
  return { settings, preset, choose, estimates: useEstimates(settings, photos) };
}

/** One estimate per preset, requested again once the number of photos settles. */
function useEstimates(settings: Settings, photos: number): Estimates {
  const [estimates, setEstimates] = useState<Estimates>(new Map());
  useEffect(() => {
    if (photos === 0) return;
    let stopped = false;
    const timer = setTimeout(async () => {
      const answers = await Promise.all(
        settings.presets.map(async (preset) => {
          // The choice works without an estimate.
          const answer = await api.estimate(preset, photos).catch(() => null);
          return [preset, answer] as const;
        }),
      );
      if (!stopped) setEstimates(new Map(answers));
    }, 200);
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [settings, photos]);
  return photos === 0 ? NONE : estimates;
}

function costWords(estimate: Estimate | null | undefined): string {
  if (estimate === undefined) return "…";
  return estimate === null ? "time and price unknown" : `${about(estimate.seconds)} · ${usd(estimate.usd)}`;
}

export function PresetChoice({ settings, preset, choose, estimates }: Choice) {
  const chosen = estimates.get(preset);
  return (
    <fieldset class="presets">
      <legend>Quality</legend>
      {settings.presets.map((one) => {
        const { label, words } = PRESET_WORDS[one];
        const estimate = estimates.get(one);
        return (
          <label key={one} class={one === preset ? "preset chosen" : "preset"}>
            <input type="radio" name="preset" value={one} checked={one === preset} onChange={() => choose(one)} />
            <span class="preset-name">{label}</span>
            <span class="preset-words fine">{words}</span>
            <span class="preset-cost">{estimates === NONE ? null : costWords(estimate)}</span>
          </label>
        );
      })}
      {chosen?.refusal ? (
        <div class="failure" role="status">
          <p>{chosen.refusal.message}</p>
          {chosen.refusal.hint ? <p class="hint">{chosen.refusal.hint}</p> : null}
        </div>
      ) : null}
      {chosen && chosen.place !== null && !chosen.refusal ? (
        <p class="small" role="status">
          Other jobs are running. Yours would be {chosen.place === 1 ? "next in the queue" : `number ${chosen.place} in the queue`} and starts by itself.
        </p>
      ) : null}
      {chosen ? (
        <p class="small basis">
          {chosen.basis} {chosen.price.gpu} price as of {day(chosen.price.as_of)}.
        </p>
      ) : null}
    </fieldset>
  );
}
