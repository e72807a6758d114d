// A project with photos missing, and no upload in this browser tab.
// After a reload the app has no access to the files, so they must be chosen again.
import { useState } from "preact/hooks";

import type { StoredPhoto } from "../../../../shared/contracts/api.ts";
import { api } from "../../api/api.ts";
import { useLoad } from "../../api/use-load.ts";
import { intake } from "../../intake/intake.ts";
import { photosIn } from "../../intake/rules.ts";
import { plural } from "../../lib/format.ts";
import { useStore } from "../../lib/store.ts";
import { CLIPS } from "../../texts/clips.ts";
import { otherUploads } from "../../upload/other-tabs.ts";
import { match } from "../../upload/plan.ts";
import { startUpload } from "../../upload/session.ts";
import { DropZone, Pickers } from "../common/drop-zone.tsx";
import { Frame } from "../common/frame.tsx";
import { Bar, Failure, useAction } from "../common/parts.tsx";
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
  const clips = photos?.filter(({ frames }) => frames !== null).length ?? 0;
  const chosen = useStore(intake.chosen);
  const examining = chosen.some(({ examined }) => !examined);
  const usable = intake.toSend(settings.limits);
  const quality = useChoice(settings, Math.max(photosIn(usable, settings.limits), stored(photos ?? [])), project.preset);
  const useThese = useAction(async () => {
    for (const { as } of missing) await api.removePhoto(project.id, as);
    rest.onProject(await api.start(project.id, quality.preset));
  });
  const other = useStore(otherUploads).get(project.id);
  const { found, fresh, stillMissing } = match(usable, photos ?? []);
  const declared = (photos?.length ?? 0) > 0;
  // Photos of another set are never mixed in without being asked for.
  const [withFresh, setWithFresh] = useState(false);
  const toSend = declared && !withFresh ? usable.filter((photo) => !fresh.includes(photo)) : usable;
  const adds = photosIn(declared ? [...found, ...(withFresh ? fresh : [])] : usable, settings.limits);
  const verdicts = intake.verdicts(settings.limits);
  if (other) return <Elsewhere project={project} sent={other.sent} count={other.count} />;
  const enough = stored(received) >= settings.limits.photos_min;
  return (
    <DropZone className="stack going" onFiles={(files) => intake.add(files)}>
      <Head
        project={project}
        heading={photos && photos.length > 0 ? <>{received.length} <span class="of">{CLIPS.uploaded(photos.length - clips, clips)}</span></> : "No photos yet"}
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
              {examining ? "Checking photos…" : declared ? matchWords(missing.length, found.length, fresh.length) : `${plural(usable.length, "usable photo")} chosen.`}
            </p>
          ) : null}
          {chosen.length > 0 ? (
            <ol class="contact">
              {chosen.map((one, i) => (
                <Frame key={one.key} one={one} verdict={verdicts[i]} number={i + 1} />
              ))}
            </ol>
          ) : null}
          {declared && fresh.length > 0 && !examining ? (
            <label class="inline">
              <input type="checkbox" checked={withFresh} onChange={({ currentTarget }) => setWithFresh(currentTarget.checked)} />
              <span>Also add the {plural(fresh.length, "new photo")}</span>
            </label>
          ) : null}
          {adds > 0 && stillMissing > 0 && !examining ? <p class="small">{plural(stillMissing, "photo")} will be left out of the scene.</p> : null}
          <PresetChoice {...quality} />
          <div class="row">
            <button class="button" type="button" disabled={examining || adds === 0 || adds + stored(received) < settings.limits.photos_min} onClick={() => startUpload(project.id, toSend, quality.preset, { onStarted: () => intake.clear() })}>
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

/** How many photos stored files count for. */
const stored = (photos: readonly StoredPhoto[]): number => photos.reduce((sum, { frames }) => sum + (frames ?? 1), 0);

/** "3 of 5 missing photos found. 2 chosen photos are new." */
function matchWords(missing: number, found: number, fresh: number): string {
  const are = fresh === 1 ? "is" : "are";
  return `${found} of ${plural(missing, "missing photo")} found.${fresh > 0 ? ` ${plural(fresh, "chosen photo")} ${are} new.` : ""}`;
}

/** Another tab of this browser uploads the photos: it has the files, so it is the one to watch. */
function Elsewhere({ project, sent, count }: { project: StateProps["project"]; sent: number; count: number }) {
  return (
    <section class="stack going">
      <Head project={project} heading={<>{sent} <span class="of">of {plural(count, "photo")} uploaded</span></>} uploadFraction={count > 0 ? sent / count : null} />
      <Bar fraction={count > 0 ? sent / count : null} label="Upload progress" />
      <p class="lead">Another tab of this browser is uploading the photos. Keep that tab open. This page follows by itself.</p>
    </section>
  );
}
