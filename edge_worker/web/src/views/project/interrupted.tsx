// A project with photos missing, and no upload in this browser tab.
// After a reload the app has no access to the files, so they must be chosen again.
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
  // Reloads with every change of the project, because another device may be uploading.
  const { value, error } = useLoad(() => api.photos(project.id), [project]);
  const photos = value?.photos ?? (error ? [] : null);
  const received = photos?.filter(({ uploaded }) => uploaded) ?? [];
  const missing = photos?.filter(({ uploaded }) => !uploaded) ?? [];
  const chosen = useStore(intake.chosen);
  const examining = chosen.some(({ examined }) => !examined);
  const usable = intake.toSend(settings.limits);
  const quality = useChoice(settings, Math.max(chosen.length, photos?.length ?? 0), project.preset);
  const useThese = useAction(async () => {
    for (const { as } of missing) await api.removePhoto(project.id, as);
    rest.onProject(await api.start(project.id, quality.preset));
  });
  const enough = received.length >= settings.limits.photos_min;
  return (
    <DropZone className="stack going" onFiles={(files) => intake.add(files)}>
      <Head
        project={project}
        heading={photos && photos.length > 0 ? <>{received.length} <span class="of">of {plural(photos.length, "photo")} uploaded</span></> : "No photos yet"}
        uploadFraction={photos && photos.length > 0 ? received.length / photos.length : 0}
      />
      <p class="lead">
        {missing.length > 0 ? "Some photos are missing. Unless another device is uploading them, choose all photos again. Those already here are not uploaded twice." : "Choose the photos for this scene."}
      </p>
      {rest.mayUpload ? (
        <>
          <Pickers onFiles={(files) => intake.add(files)} small />
          {chosen.length > 0 ? (
            <p class="status-line" role="status">
              {examining ? "Checking photos…" : `${plural(usable.length, "usable photo")} chosen.`}
            </p>
          ) : null}
          <PresetChoice {...quality} />
          <div class="row">
            <button class="button" type="button" disabled={examining || usable.length + received.length < settings.limits.photos_min || usable.length === 0} onClick={() => startUpload(project.id, usable, quality.preset)}>
              Upload and make the scene
            </button>
            {enough && missing.length > 0 ? (
              <button class="button quiet" type="button" disabled={useThese.busy} onClick={useThese.run}>
                Continue with the {received.length} uploaded
              </button>
            ) : null}
          </div>
          <Failure error={useThese.error} />
        </>
      ) : null}
      <Manage project={project} settings={settings} {...rest} />
    </DropZone>
  );
}
