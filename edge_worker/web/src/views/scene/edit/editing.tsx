// How the finished scene is shown: its start view and cover, where up is, what is cut away. Each step can be undone.
// The scene's files change only where the edit is applied (apply.tsx).
import { useEffect, useState } from "preact/hooks";

import { CROPS_MAX, UNEDITED, type Edit } from "../../../../../shared/contracts/edit.ts";
import { ACTIVE } from "../../../../../shared/stages.ts";
import { api, ApiError } from "../../../api/api.ts";
import { lazily } from "../../../lib/lazy.ts";
import { coverOf } from "../../../scene/cover.ts";
import type { OpenScene } from "../../../scene/viewer.ts";
import { EDIT } from "../../../texts/edit.ts";
import { Failure, useAction } from "../../common/parts.tsx";
import type { StateProps } from "../../project/state-props.ts";
import { Apply } from "./apply.tsx";
import type { TOOLS, ToolName } from "./tools.ts";

type AnyTool = (typeof TOOLS)[ToolName];

interface Props extends StateProps {
  handle: { readonly current: OpenScene | null };
}

export function Editing(props: Props) {
  const { project, onProject, handle } = props;
  const [Chosen, setChosen] = useState<AnyTool | null>(null);
  const [said, setSaid] = useState("");
  const edit = project.edit ?? UNEDITED;
  const save = async (next: Edit): Promise<void> => onProject(await api.edit(project.id, next));
  const useView = useAction(async () => {
    const view = handle.current?.fileView() ?? null;
    const picture = (await handle.current?.picture()) ?? null;
    if (view === null || picture === null) throw new ApiError(0, "NO_PICTURE", EDIT.noPicture);
    const { image, thumbnail } = coverOf(picture);
    const { cover } = await api.addCover(project.id, image, thumbnail);
    await save({ ...edit, start: view, cover });
    setSaid(EDIT.viewSaved);
  });
  const undo = useAction(async () => {
    onProject(await api.undoEdit(project.id));
    setSaid(EDIT.undone);
  });
  const active = ACTIVE.has(project.state);
  // It no longer holds.
  useEffect(() => setSaid(""), [active, project.shown]);
  const unknown = project.report?.up?.known === false && edit.up === null;
  const open = (name: ToolName): void =>
    void lazily(() => import("./tools.ts")).then(
      ({ TOOLS }) => setChosen(() => TOOLS[name]),
      () => setSaid(EDIT.notLoaded),
    );
  const button = (name: ToolName, words: string, off = false) => (
    <button class={name === "up" && unknown ? "button" : "button quiet"} type="button" disabled={off} onClick={() => open(name)}>
      {words}
    </button>
  );
  return (
    <section class="stack tight" aria-labelledby="edit-title">
      <h2 id="edit-title">{EDIT.title}</h2>
      {Chosen === null && !active ? <p class="small">{unknown ? EDIT.upUnknown : EDIT.useViewLead}</p> : null}
      {active ? null : Chosen === null ? (
        <div class="row">
          <button class="button quiet" type="button" disabled={useView.busy} onClick={useView.run}>
            {EDIT.useView}
          </button>
          {button("up", EDIT.setUp)}
          {button("crop", EDIT.crop, edit.crops.length >= CROPS_MAX)}
          {button("clean", EDIT.clean)}
          {project.edits > 0 ? (
            <button class="button text" type="button" disabled={undo.busy} onClick={undo.run}>
              {EDIT.undo}
            </button>
          ) : null}
        </div>
      ) : (
        <Chosen
          handle={handle}
          edit={edit}
          onCancel={() => setChosen(null)}
          onSave={async (next) => {
            await save(next);
            setChosen(null);
            setSaid(EDIT.saved);
          }}
        />
      )}
      {active ? null : (
        <p class="small" role="status">
          {said}
        </p>
      )}
      {Chosen === null || active ? <Apply {...props} /> : null}
      <Failure error={useView.error ?? undo.error} />
    </section>
  );
}
