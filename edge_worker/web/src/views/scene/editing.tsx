// How the finished scene is shown: its start view and cover, and where up is. Each step can be undone.
// Never changes the scene's files.
import { useEffect, useState } from "preact/hooks";

import { UNEDITED } from "../../../../shared/contracts/edit.ts";
import { api, ApiError } from "../../api/api.ts";
import { coverOf } from "../../scene/cover.ts";
import type { OpenScene } from "../../scene/viewer.ts";
import { EDIT } from "../../texts/edit.ts";
import { Failure, useAction } from "../common/parts.tsx";
import type { StateProps } from "../project/state-props.ts";

const TILT_MAX_DEG = 90;

interface Props extends StateProps {
  handle: { readonly current: OpenScene | null };
}

export function Editing({ project, onProject, handle }: Props) {
  const [tilting, setTilting] = useState(false);
  const [said, setSaid] = useState("");
  const edit = project.edit ?? UNEDITED;
  const useView = useAction(async () => {
    const view = handle.current?.fileView() ?? null;
    const picture = (await handle.current?.picture()) ?? null;
    if (view === null || picture === null) throw new ApiError(0, "NO_PICTURE", EDIT.noPicture);
    const { image, thumbnail } = coverOf(picture);
    const { cover } = await api.addCover(project.id, image, thumbnail);
    onProject(await api.edit(project.id, { ...edit, start: view, cover }));
    setSaid(EDIT.viewSaved);
  });
  const undo = useAction(async () => {
    onProject(await api.undoEdit(project.id));
    setSaid(EDIT.undone);
  });
  const unknown = project.report?.up?.known === false && edit.up === null;
  return (
    <section class="stack tight" aria-labelledby="edit-title">
      <h2 id="edit-title">{EDIT.title}</h2>
      <p class="small">{unknown ? EDIT.upUnknown : EDIT.useViewLead}</p>
      {tilting ? (
        <Tilt
          handle={handle}
          onCancel={() => setTilting(false)}
          onSave={async (up) => {
            onProject(await api.edit(project.id, { ...edit, up }));
            setTilting(false);
          }}
        />
      ) : (
        <div class="row">
          <button class="button quiet" type="button" disabled={useView.busy} onClick={useView.run}>
            {EDIT.useView}
          </button>
          <button class={unknown ? "button" : "button quiet"} type="button" onClick={() => setTilting(true)}>
            {EDIT.setUp}
          </button>
          {project.edits > 0 ? (
            <button class="button text" type="button" disabled={undo.busy} onClick={undo.run}>
              {EDIT.undo}
            </button>
          ) : null}
        </div>
      )}
      <p class="small" role="status">
        {said}
      </p>
      <Failure error={useView.error ?? undo.error} />
    </section>
  );
}

interface TiltProps {
  handle: { readonly current: OpenScene | null };
  onSave: (up: [number, number, number]) => Promise<void>;
  onCancel: () => void;
}

/** Two sliders that lean the scene in the viewer, until it stands upright. */
function Tilt({ handle, onSave, onCancel }: TiltProps) {
  const [forward, setForward] = useState(0);
  const [sideways, setSideways] = useState(0);
  useEffect(() => void handle.current?.tilt(forward, sideways), [forward, sideways]);
  useEffect(() => document.querySelector(".stage")?.scrollIntoView({ block: "nearest" }), []);
  const cancel = (): void => {
    handle.current?.tilt(0, 0);
    onCancel();
  };
  const save = useAction(async () => {
    const up = handle.current?.tilt(forward, sideways) ?? null;
    if (up === null) throw new ApiError(0, "NO_PICTURE", EDIT.noPicture);
    await onSave(up);
  });
  return (
    <form
      class="stack tight tilt"
      onSubmit={(event) => {
        event.preventDefault();
        save.run();
      }}
    >
      <Slider label={EDIT.tiltForward} deg={forward} onDeg={setForward} />
      <Slider label={EDIT.tiltSideways} deg={sideways} onDeg={setSideways} />
      <div class="row">
        <button class="button" type="submit" disabled={save.busy}>
          {EDIT.saveUp}
        </button>
        <button class="button quiet" type="button" onClick={cancel}>
          {EDIT.cancel}
        </button>
      </div>
      <Failure error={save.error} />
    </form>
  );
}

function Slider({ label, deg, onDeg }: { label: string; deg: number; onDeg: (deg: number) => void }) {
  return (
    <label class="field slider">
      <span>
        {label} <span class="figures quiet">{EDIT.degrees(deg)}</span>
      </span>
      <input type="range" min={-TILT_MAX_DEG} max={TILT_MAX_DEG} step={1} value={deg} onInput={({ currentTarget }) => onDeg(Number(currentTarget.value))} />
    </label>
  );
}
