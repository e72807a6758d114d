// A job that failed or was cancelled: what happened, what helps, and another try.
// Shows no more of a failure than the server reports.
import { useState } from "preact/hooks";

import { api } from "../../api/api.ts";
import { plural } from "../../lib/format.ts";
import { inOwnNames, photoNames, usePhotos } from "../../scene/photo-names.ts";
import { MANAGE } from "../../texts/sending.ts";
import { MyPhotos } from "../photos/my-photos.tsx";
import { Failure, Link, useAction } from "../common/parts.tsx";
import { Again } from "./again.tsx";
import { Manage } from "./manage.tsx";
import type { StateProps } from "./state-props.ts";
import { Head } from "./steps.tsx";

const TITLES: Record<string, string> = {
  TOO_FEW_PHOTOS: "Too few usable photos",
  SFM_FAILED: "The photos could not be aligned",
  TRAINING_FAILED: "The photos did not become a scene",
  PHOTO_UNREADABLE: "A photo could not be read",
  OUT_OF_MEMORY: "The worker ran out of memory",
  OUT_OF_DISK: "The worker ran out of disk space",
  TIME_LIMIT: "The job took longer than allowed",
  DOWNLOAD_FAILED: "The worker could not download the photos",
  UPLOAD_FAILED: "The scene could not be stored",
  LIMIT: "A limit of this service is reached",
};

/** With these codes the same photos fail again, so the first suggestion is other photos. */
const PHOTOS_AT_FAULT = new Set(["TOO_FEW_PHOTOS", "SFM_FAILED", "TRAINING_FAILED", "PHOTO_UNREADABLE"]);

export function Ended({ project, ...rest }: StateProps) {
  const retry = useAction(async () => rest.onProject(await api.retry(project.id)));
  const back = useAction(async () => void (project.shown !== null && rest.onProject(await api.choose(project.id, project.shown))));
  const cancelled = project.state === "cancelled";
  const { error } = project;
  const [changes, setChanges] = useState(0);
  const photos = usePhotos(project.id, [project.photos.count, changes]);
  const names = photoNames(photos);
  const otherPhotosFirst = !cancelled && PHOTOS_AT_FAULT.has(error?.code ?? "");
  const same = (
    <button key="same" class={otherPhotosFirst ? "button quiet" : "button"} type="button" disabled={retry.busy} onClick={retry.run}>
      {cancelled ? "Start again" : "Try again with the same photos"}
    </button>
  );
  const others = (
    <Link key="others" class={otherPhotosFirst ? "button" : "button quiet"} href="/">
      Use other photos
    </Link>
  );
  return (
    <section class="stack going">
      <Head project={project} heading={cancelled ? "Cancelled" : (TITLES[error?.code ?? ""] ?? "Something went wrong")} />
      <div class="at-work">
      <div class="stack">
      {cancelled ? (
        <p class="lead">
          {error ? inOwnNames(error.message, names) : "The job was cancelled."} Your {plural(project.photos.count, "photo")} are still here.
        </p>
      ) : (
        <>
          <p class="lead">{error ? inOwnNames(error.message, names) : "The service reported no reason."}</p>
          {error?.hint ? (
            <div class="stack tight panel">
              <h2>What you can do</h2>
              <p>{error.hint}</p>
            </div>
          ) : null}
        </>
      )}
      {rest.mayUpload ? (
        <div class="row">
          {otherPhotosFirst ? others : same}
          {otherPhotosFirst ? null : <Again project={project} {...rest} label="Choose another quality" />}
          {otherPhotosFirst ? same : others}
        </div>
      ) : null}
      {project.shown !== null && rest.mayUpload ? (
        <div class="row">
          <p class="small">{MANAGE.before}</p>
          <button class="button quiet" type="button" disabled={back.busy} onClick={back.run}>
            {MANAGE.showBefore}
          </button>
        </div>
      ) : null}
      <Failure error={retry.error ?? back.error} />
      {error?.code ? <p class="small">Error code {error.code}, attempt {project.attempt}.</p> : null}
      <Manage project={project} {...rest} />
      </div>
      <div class="stack beside-job">
        <MyPhotos project={project} {...rest} photos={photos} onChanged={() => setChanges(changes + 1)} />
      </div>
      </div>
    </section>
  );
}
