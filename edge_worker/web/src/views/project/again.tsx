// The same photos made again in another quality: the choice with seconds and price, and what it replaces.
// Never starts anything before the dialog's button.
import { useState } from "preact/hooks";

import type { Preset } from "../../../../shared/stages.ts";
import { api } from "../../api/api.ts";
import { Ask } from "../common/dialog.tsx";
import { PresetChoice, useChoice } from "../common/preset-choice.tsx";
import type { StateProps } from "./state-props.ts";

export function Again({ label, ...props }: StateProps & { label: string }) {
  const [asking, setAsking] = useState(false);
  if (!props.mayUpload) return null;
  return (
    <>
      <button class="button quiet" type="button" onClick={() => setAsking(true)}>
        {label}
      </button>
      {asking ? <Question {...props} onClose={() => setAsking(false)} /> : null}
    </>
  );
}

function Question({ project, settings, onProject, onClose }: StateProps & { onClose: () => void }) {
  const quality = useChoice(settings, project.photos.count, next(settings.presets, project.preset));
  return (
    <Ask
      title="Make it again"
      action="Make the scene"
      onClose={onClose}
      onYes={async () => {
        onProject(await api.start(project.id, quality.preset));
        onClose();
      }}
    >
      <p>{project.state === "done" ? "From the same photos. The new scene takes the place of this one, and share links then lead to it: download what you want to keep first." : "From the same photos, which are all still here."}</p>
      <PresetChoice {...quality} />
    </Ask>
  );
}

/** The next finer quality, which is what people mostly want after a first look; the finest stays. */
function next(presets: readonly Preset[], now: Preset | null): Preset | undefined {
  return presets[now === null ? 0 : presets.indexOf(now) + 1] ?? presets.at(-1);
}
