// Renames and deletes a project, in any state.
// Never deletes before it has listed what is deleted.
import { useState } from "preact/hooks";

import type { Project } from "../../../../shared/contracts/project.ts";
import { api } from "../../api/api.ts";
import { forget } from "../../api/last-seen.ts";
import { go } from "../../lib/router.ts";
import { deleteQuestion } from "../../scene/status.ts";
import { MANAGE } from "../../texts/sending.ts";
import { current } from "../../upload/session.ts";
import { Ask } from "../common/dialog.tsx";
import { NameField } from "../common/parts.tsx";
import type { StateProps } from "./state-props.ts";

export function Manage({ project, mayUpload, mayOperate, onProject }: StateProps) {
  const [open, setOpen] = useState<"rename" | "delete" | null>(null);
  if (!mayUpload && !mayOperate) return null;
  return (
    <div class="row links">
      {mayUpload ? (
        <button class="button text" type="button" onClick={() => setOpen("rename")}>
          {MANAGE.rename}
        </button>
      ) : null}
      {mayOperate ? (
        <button class="button text bad" type="button" onClick={() => setOpen("delete")}>
          {MANAGE.delete}
        </button>
      ) : null}
      {open === "rename" ? <Rename project={project} onProject={onProject} onClose={() => setOpen(null)} /> : null}
      {open === "delete" ? <Delete project={project} onClose={() => setOpen(null)} /> : null}
    </div>
  );
}

function Rename({ project, onProject, onClose }: { project: Project; onProject: (project: Project) => void; onClose: () => void }) {
  const [name, setName] = useState(project.name);
  return (
    <Ask
      title={MANAGE.renameTitle}
      action={MANAGE.rename}
      keep={MANAGE.cancel}
      onClose={onClose}
      onYes={async () => {
        if (name.trim() !== project.name) onProject(await api.rename(project.id, name.trim()));
        onClose();
      }}
    >
      <NameField name={name} onName={setName} required />
    </Ask>
  );
}

function Delete({ project, onClose }: { project: Project; onClose: () => void }) {
  const question = deleteQuestion(project, project.name);
  return (
    <Ask
      title={question.title}
      action={question.action}
      keep={question.keep}
      danger
      onClose={onClose}
      onYes={async () => {
        await api.remove(project.id);
        forget(project.id);
        if (current.get()?.projectId === project.id) current.set(null);
        go("/", "replace");
      }}
    >
      <p>{question.text}</p>
    </Ask>
  );
}
