// An edit becomes files: what it costs, how far it is, and why it failed.
// Never starts before its button is pressed.
import { changesFiles } from "../../../../../shared/contracts/edit.ts";
import { ACTIVE } from "../../../../../shared/stages.ts";
import { api } from "../../../api/api.ts";
import { useLoad } from "../../../api/use-load.ts";
import { about, usd } from "../../../lib/format.ts";
import { editFraction } from "../../../scene/progress.ts";
import { EDIT } from "../../../texts/edit.ts";
import { Bar, Failure, useAction } from "../../common/parts.tsx";
import type { StateProps } from "../../project/state-props.ts";

export function Apply({ project, onProject }: StateProps) {
  const active = ACTIVE.has(project.state);
  const pending = project.edit !== null && changesFiles(project.edit);
  const start = useAction(async () => onProject(await api.applyEdit(project.id, [])));
  const cancel = useAction(async () => onProject(await api.cancel(project.id)));
  const { value: estimate } = useLoad(() => (pending && !active ? api.editEstimate(project.id) : Promise.resolve(null)), [project.id, project.shown, pending, active]);
  if (active) {
    const fraction = editFraction(project);
    return (
      <div class="stack tight applying">
        <p class="small" role="status">
          {EDIT.applying}
        </p>
        <Bar fraction={fraction} label={EDIT.applying} />
        <p class="fine">{project.notice?.message ?? (fraction === null ? EDIT.applyWaits : project.progress?.message)}</p>
        <div class="row">
          <button class="button quiet" type="button" disabled={cancel.busy} onClick={cancel.run}>
            {EDIT.cancelApply}
          </button>
        </div>
        <Failure error={cancel.error} />
      </div>
    );
  }
  const failed = project.editing !== null && project.shown !== project.attempt;
  if (!pending) return project.editing !== null && !failed ? <p class="small">{EDIT.applied}</p> : null;
  return (
    <div class="stack tight applying">
      <p class="small">{EDIT.applyLead}</p>
      {estimate ? <p class="fine">{EDIT.takes(about(estimate.seconds), usd(estimate.usd))}</p> : null}
      <div class="row">
        <button class="button" type="button" disabled={start.busy || Boolean(estimate?.refusal)} onClick={start.run}>
          {failed ? EDIT.applyAgain : EDIT.apply}
        </button>
      </div>
      <Failure error={start.error ?? estimate?.refusal ?? (failed ? (project.error ?? { message: EDIT.notApplied }) : null)} />
    </div>
  );
}
