// All photos are uploaded and no job has started: quality, price, start button.
// Never starts by itself.
import { api } from "../../api/api.ts";
import { bytes, plural } from "../../lib/format.ts";
import { usePhotos } from "../../scene/photo-names.ts";
import { PhotoSheet } from "../photos/sheet.tsx";
import { Failure, useAction } from "../common/parts.tsx";
import { PresetChoice, useChoice } from "../common/preset-choice.tsx";
import { Manage } from "./manage.tsx";
import type { StateProps } from "./state-props.ts";
import { Head } from "./steps.tsx";

export function Ready({ project, settings, ...rest }: StateProps) {
  const quality = useChoice(settings, project.photos.count, project.preset);
  const photos = usePhotos(project.id, [project.photos.count]);
  const start = useAction(async () => rest.onProject(await api.start(project.id, quality.preset)));
  return (
    <section class="stack going">
      <Head project={project} heading={`${plural(project.photos.count, "photo")} ready`} />
      <p class="lead">{bytes(project.photos.bytes)} uploaded. Choose a quality to start.</p>
      <div class="at-work">
      <div class="stack">
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
      </div>
      <div class="stack beside-job">
        <PhotoSheet project={project} photos={photos} />
      </div>
      </div>
    </section>
  );
}
