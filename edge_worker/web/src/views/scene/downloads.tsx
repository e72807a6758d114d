// The files of a scene, what each is for, and all of them as one archive.
// Never lists a file that the project does not have.
import type { Project } from "../../../../shared/contracts/project.ts";
import { downloadName } from "../../../../shared/download-name.ts";
import type { Source } from "../../api/api.ts";
import { bytes } from "../../lib/format.ts";
import { DOWNLOADS } from "../../texts/downloads.ts";
import { ZipButton } from "../common/zip-button.tsx";

export function Downloads({ project, source }: { project: Project; source: Source }) {
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
    </section>
  );
}
