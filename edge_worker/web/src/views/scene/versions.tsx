// All scenes that a project has made: which one is shown, and the files of each.
// Never deletes one.
import type { Result } from "../../../../shared/contracts/project.ts";
import { ACTIVE } from "../../../../shared/stages.ts";
import { downloadName } from "../../../../shared/download-name.ts";
import { api } from "../../api/api.ts";
import { bytes, count, day } from "../../lib/format.ts";
import { DOWNLOADS } from "../../texts/downloads.ts";
import { VERSIONS } from "../../texts/scene.ts";
import { Failure, useAction } from "../common/parts.tsx";
import { PRESET_WORDS } from "../common/presets.ts";
import type { StateProps } from "../project/state-props.ts";
import { numberOf } from "./version-number.ts";

import "./versions.css";

interface Props extends StateProps {
  onCompare: (attempt: number) => void;
}

/** onCompare: with the attempt to see beside the shown one. */
export function Versions(props: Props) {
  const { project } = props;
  if (project.results.length < 2) return null;
  const { error } = project;
  return (
    <section class="stack tight versions" aria-labelledby="versions-title">
      <h2 id="versions-title">{VERSIONS.title}</h2>
      <p class="small">{VERSIONS.lead}</p>
      {error !== null && project.editing === null && !ACTIVE.has(project.state) ? <p class="small">{VERSIONS.lastFailed(error.message)}</p> : null}
      <ol class="lines" reversed>
        {[...project.results].reverse().map((result) => (
          <Version key={result.attempt} {...props} result={result} />
        ))}
      </ol>
    </section>
  );
}

function Version({ project, mayUpload, onProject, onCompare, result }: Props & { result: Result }) {
  const choose = useAction(async () => onProject(await api.choose(project.id, result.attempt)));
  const number = numberOf(project, result.attempt);
  const shown = project.shown === result.attempt;
  const made = result.base === null ? (result.preset === null ? null : VERSIONS.quality(PRESET_WORDS[result.preset].label)) : VERSIONS.editOf(numberOf(project, result.base));
  const facts = [made, VERSIONS.gaussians(count(result.gaussians)), result.base === null && result.psnr_db !== null ? VERSIONS.psnr(result.psnr_db.toFixed(1)) : null, result.finished_at === null ? null : day(result.finished_at)];
  return (
    <li class="version" aria-current={shown ? "true" : undefined}>
      <div class="row between">
        <h3>{VERSIONS.name(number)}</h3>
        {shown ? (
          <span class="tag">{VERSIONS.shown}</span>
        ) : (
          <button class="button text" type="button" onClick={() => onCompare(result.attempt)}>
            {VERSIONS.compare}
            <span class="unseen">{VERSIONS.compareWith(number)}</span>
          </button>
        )}
        {!shown && mayUpload ? (
          <button class="button text" type="button" disabled={choose.busy || ACTIVE.has(project.state)} onClick={choose.run}>
            {VERSIONS.show}
            <span class="unseen">{VERSIONS.showNumber(number)}</span>
          </button>
        ) : null}
      </div>
      <p class="meta fine">{facts.flatMap((fact) => (fact === null ? [] : [<span key={fact}>{fact}</span>]))}</p>
      <details class="small">
        <summary>{VERSIONS.files(number)}</summary>
        <ul class="version-files">
          {DOWNLOADS.files.flatMap(({ name }) => {
            const file = result.artifacts[name];
            return file === undefined ? [] : [
              <li key={name}>
                <a href={file.url} download={downloadName(`${project.name} ${number}`, name)}>
                  {name}
                </a>{" "}
                <span class="figures quiet">{bytes(file.bytes)}</span>
              </li>,
            ];
          })}
        </ul>
      </details>
      <Failure error={choose.error} />
    </li>
  );
}
