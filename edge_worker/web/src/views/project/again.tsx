// Makes a scene again from the same photos at another quality.
// Never starts before the dialog's button is pressed.
import { useState } from "preact/hooks";

import type { Preset } from "../../../../shared/stages.ts";
import { api } from "../../api/api.ts";
import { MANAGE } from "../../texts/sending.ts";
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
      title={MANAGE.again}
      action={MANAGE.start}
      keep={MANAGE.cancel}
      onClose={onClose}
      onYes={async () => {
        onProject(await api.start(project.id, quality.preset));
        onClose();
      }}
    >
      <p>{project.state === "done" ? MANAGE.againDone : MANAGE.photosStay}</p>
      <PresetChoice {...quality} />
    </Ask>
  );
}

/** The next finer quality, the usual choice after a preview. */
function next(presets: readonly Preset[], now: Preset | null): Preset | undefined {
  return presets[now === null ? 0 : presets.indexOf(now) + 1] ?? presets.at(-1);
}
