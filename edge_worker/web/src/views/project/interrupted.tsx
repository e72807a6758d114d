// A project whose photos are not all there, and not on their way from this page.
// Never sends a file that the person did not choose again: after a reload the page has none.
import { api } from "../../api/api.ts";
import { useLoad } from "../../api/use-load.ts";
import { intake } from "../../intake/intake.ts";
import { plural } from "../../lib/format.ts";
import { useStore } from "../../lib/store.ts";
import { startUpload } from "../../upload/session.ts";
import { DropZone, Pickers } from "../common/drop-zone.tsx";
import { Failure, useAction } from "../common/parts.tsx";
import { PresetChoice, useChoice } from "../common/preset-choice.tsx";
import { Manage } from "./manage.tsx";
import type { StateProps } from "./state-props.ts";
import { Head } from "./steps.tsx";

export function Interrupted({ project, settings, ...rest }: StateProps) {
  // Requested again with every change of the project: another device may be sending.
  const { value, error } = useLoad(() => api.photos(project.id), [project]);
  const photos = value?.photos ?? (error ? [] : null);
  const received = photos?.filter(({ uploaded }) => uploaded) ?? [];
  const missing = photos?.filter(({ uploaded }) => !uploaded) ?? [];
  const chosen = useStore(intake.chosen);
  const examining = chosen.some(({ examined }) => !examined);
  const usable = intake.toSend(settings.limits);
  const quality = useChoice(settings, Math.max(chosen.length, photos?.length ?? 0), project.preset);
  const goOn = useAction(async () => {
    for (const { as } of missing) await api.removePhoto(project.id, as);
    rest.onProject(await api.start(project.id, quality.preset));
  });
  const enough = received.length >= settings.limits.photos_min;
  return (
    <DropZone className="going" onFiles={(files) => intake.add(files)}>
      <Head
        project={project}
        heading={photos && photos.length > 0 ? <>{received.length} <span class="of">of {plural(photos.length, "photo")} arrived</span></> : "No photos yet"}
        uploadFraction={photos && photos.length > 0 ? received.length / photos.length : 0}
      />
      <p class="lead">
        {missing.length > 0 ? "Not all photos are here. Unless they are being sent from somewhere else right now, choose them again: those that arrived are not sent twice." : "Choose the photos of this scene."}
      </p>
      {rest.mayUpload ? (
        <>
          <Pickers onFiles={(files) => intake.add(files)} small />
          {chosen.length > 0 ? (
            <p class="status-line" role="status">
              {examining ? "Checking the photos…" : `${plural(usable.length, "usable photo")} chosen.`}
            </p>
          ) : null}
          <PresetChoice {...quality} />
          <div class="row">
            <button class="button" type="button" disabled={examining || usable.length + received.length < settings.limits.photos_min || usable.length === 0} onClick={() => startUpload(project.id, usable, quality.preset)}>
              Send and make the scene
            </button>
            {enough && missing.length > 0 ? (
              <button class="button quiet" type="button" disabled={goOn.busy} onClick={goOn.run}>
                Go on with the {received.length} that arrived
              </button>
            ) : null}
          </div>
          <Failure error={goOn.error} />
        </>
      ) : null}
      <Manage project={project} settings={settings} {...rest} />
    </DropZone>
  );
}
