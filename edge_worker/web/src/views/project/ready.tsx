// All photos are uploaded and no job has started: quality, price, start button.
// Never starts by itself.
import { api } from "../../api/api.ts";
import { bytes, plural } from "../../lib/format.ts";
import { Failure, useAction } from "../common/parts.tsx";
import { PresetChoice, useChoice } from "../common/preset-choice.tsx";
import { Manage } from "./manage.tsx";
import type { StateProps } from "./state-props.ts";
import { Head } from "./steps.tsx";

export function Ready({ project, settings, ...rest }: StateProps) {
  const quality = useChoice(settings, project.photos.count, project.preset);
  const start = useAction(async () => rest.onProject(await api.start(project.id, quality.preset)));
  return (
    <section class="stack going">
      <Head project={project} heading={`${plural(project.photos.count, "photo")} ready`} />
      <p class="lead">{bytes(project.photos.bytes)} uploaded. Choose a quality to start.</p>
      {rest.mayUpload ? (
        <>
          <PresetChoice {...quality} />
          <button class="button big" type="button" disabled={start.busy} onClick={start.run}>
            Make the scene
          </button>
          <Failure error={start.error} />
        </>
      ) : null}
      <Manage project={project} settings={settings} {...rest} />
    </section>
  );
}
