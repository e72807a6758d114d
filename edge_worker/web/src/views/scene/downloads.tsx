// The files of a scene, what each is for, and all of them as one archive.
// Never lists a file that the project does not have.
import { changesFiles } from "../../../../shared/contracts/edit.ts";
import { EXTRA_NAMES } from "../../../../shared/contracts/job-input.ts";
import type { Project } from "../../../../shared/contracts/project.ts";
import { downloadName } from "../../../../shared/download-name.ts";
import { ACTIVE } from "../../../../shared/stages.ts";
import { api, type Source } from "../../api/api.ts";
import { useLoad } from "../../api/use-load.ts";
import { about, bytes, usd } from "../../lib/format.ts";
import { DOWNLOADS } from "../../texts/downloads.ts";
import { Failure, useAction } from "../common/parts.tsx";
import { ZipButton } from "../common/zip-button.tsx";

/** onProject: for members who may start a job. */
export function Downloads({ project, source, onProject }: { project: Project; source: Source; onProject?: ((project: Project) => void) | undefined }) {
  const files = DOWNLOADS.files.flatMap(({ name, words }) => {
    const artifact = project.artifacts[name];
    // The report cannot list itself. It exists whenever the project has a report.
    if (!artifact && !(name === "report.json" && project.report)) return [];
    return [{ name, words, size: artifact?.bytes ?? 0, url: source.artifact(name, project.shown), saved: downloadName(project.name, name) }];
  });
  return (
    <section class="stack tight downloads" aria-labelledby="downloads-title">
      <h2 id="downloads-title">{DOWNLOADS.title}</h2>
      <ul class="lines">
        {files.map(({ name, words, size, url, saved }) => (
          <li key={name}>
            <a href={url} download={saved}>
              {name}
            </a>
            <span class="words fine">{words}</span>
            {size > 0 ? <span class="figures quiet">{bytes(size)}</span> : null}
          </li>
        ))}
      </ul>
      {files.length > 1 ? (
        <ZipButton
          label={DOWNLOADS.all(bytes(files.reduce((sum, { size }) => sum + size, 0)))}
          name={downloadName(project.name, "scene.zip")}
          entries={files.map(({ saved, url }) => ({ name: saved, url }))}
        />
      ) : null}
      {onProject && EXTRA_NAMES.some((name) => !project.artifacts[name]) ? <More project={project} onProject={onProject} /> : null}
    </section>
  );
}

/** Files that are made only on request. */
function More({ project, onProject }: { project: Project; onProject: (project: Project) => void }) {
  const start = useAction(async () => onProject(await api.applyEdit(project.id, EXTRA_NAMES)));
  const { value: estimate } = useLoad(() => api.editEstimate(project.id), [project.id, project.shown]);
  if (ACTIVE.has(project.state)) return null;
  return (
    <div class="stack tight">
      <button class="button quiet" type="button" disabled={start.busy || Boolean(estimate?.refusal)} onClick={start.run}>
        {DOWNLOADS.more}
      </button>
      <p class="small">
        {estimate ? DOWNLOADS.moreLead(about(estimate.seconds), usd(estimate.usd)) : null} {project.edit !== null && changesFiles(project.edit) ? DOWNLOADS.moreWithEdit : null}
      </p>
      <Failure error={start.error ?? estimate?.refusal ?? null} />
    </div>
  );
}
