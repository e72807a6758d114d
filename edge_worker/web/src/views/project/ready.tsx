// All photos are uploaded and no job has started: quality, price, start button.
// Never starts by itself.
import { api } from "../../api/api.ts";
import { bytes } from "../../lib/format.ts";
import { usePhotos } from "../../scene/photo-names.ts";
import { MANAGE } from "../../texts/sending.ts";
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
      <Head project={project} heading={MANAGE.ready(project.photos.count)} />
      <p class="lead">{MANAGE.readyLead(bytes(project.photos.bytes))}</p>
      <div class="at-work">
      <div class="stack">
      {rest.mayUpload ? (
        <>
          <PresetChoice {...quality} />
          <button class="button big" type="button" disabled={start.busy} onClick={start.run}>
            {MANAGE.start}
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
