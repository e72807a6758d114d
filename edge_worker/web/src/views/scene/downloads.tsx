// The files of a scene, and what each is for.
// Never lists a file that the project does not have.
import type { Project } from "../../../../shared/contracts/project.ts";
import { downloadName } from "../../../../shared/download-name.ts";
import type { Source } from "../../api/api.ts";
import { bytes } from "../../lib/format.ts";

const FILES: readonly { name: string; words: string }[] = [
  { name: "scene.sog", words: "For the web and phones" },
  { name: "scene.spz", words: "Compact, for other viewers" },
  { name: "scene.ply", words: "Full data, for editors" },
  { name: "cameras.json", words: "Where each photo was taken" },
  { name: "report.json", words: "All numbers" },
];

export function Downloads({ project, source }: { project: Project; source: Source }) {
  return (
    <section class="stack tight downloads" aria-labelledby="downloads-title">
      <h2 id="downloads-title">Downloads</h2>
      <ul class="lines">
        {FILES.flatMap(({ name, words }) => {
          const artifact = project.artifacts[name];
          // The report cannot list itself. It exists whenever the project has a report.
          if (!artifact && !(name === "report.json" && project.report)) return [];
          return [
            <li key={name}>
              <a href={source.artifact(name, project.attempt)} download={downloadName(project.name, name)}>
                {name}
              </a>
              <span class="words fine">{words}</span>
              {artifact ? <span class="figures quiet">{bytes(artifact.bytes)}</span> : null}
            </li>,
          ];
        })}
      </ul>
    </section>
  );
}
