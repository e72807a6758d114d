// The photos of a scene after their upload: thumbnails, the reason on each one left out, and each one to download.
// A photo whose browser made no thumbnail (HEIC, or uploaded by a script) shows its type.
import { useState } from "preact/hooks";

import type { StoredPhoto } from "../../../../shared/contracts/api.ts";
import type { Report } from "../../../../shared/contracts/job-report.ts";
import type { Project } from "../../../../shared/contracts/project.ts";
import { ACTIVE } from "../../../../shared/stages.ts";
import { api, photoUrl } from "../../api/api.ts";
import { stem } from "../../scene/photo-names.ts";
import { PHOTOS } from "../../texts/photos.ts";
import { Failure, useAction } from "../common/parts.tsx";

import "../common/frame.css";
import "./photos.css";

/** Two to four rows. More photos are shown when asked for: 300 requests at once help nobody. */
const SHOWN_FIRST = 40;

interface SheetProps {
  project: Project;
  photos: readonly StoredPhoto[];
  mayUpload?: boolean;
  /** After a photo was removed. */
  onChanged?: () => void;
}

export function PhotoSheet({ project, photos, mayUpload = false, onChanged = () => undefined }: SheetProps) {
  const [all, setAll] = useState(false);
  if (photos.length === 0) return null;
  const ordered = leftOutFirst(photos, project.report);
  const shown = all ? ordered : ordered.slice(0, SHOWN_FIRST);
  const leftOut = ordered.filter(({ reason }) => reason !== null).length;
  return (
    <section class="stack tight photos" aria-labelledby="photos-title">
      <h2 id="photos-title">{PHOTOS.title}</h2>
      <p class="small">
        {PHOTOS.count(photos.length, leftOut)}
        {leftOut > 0 ? `. ${PHOTOS.leftOutFirst}` : null}
      </p>
      <ul class="contact stored">
        {shown.map(({ photo, number, reason }) => (
          <Photo key={photo.as} project={project} photo={photo} number={number} reason={reason} removable={mayUpload && !photo.uploaded && !ACTIVE.has(project.state)} onChanged={onChanged} />
        ))}
      </ul>
      {shown.length < ordered.length ? (
        <div class="row">
          <button class="button quiet" type="button" onClick={() => setAll(true)}>
            {PHOTOS.showAll(ordered.length)}
          </button>
        </div>
      ) : null}
    </section>
  );
}

interface Placed {
  photo: StoredPhoto;
  number: number;
  /** Why the scene does without it; null: it is in the scene, or that is not known yet. */
  reason: string | null;
}

function leftOutFirst(photos: readonly StoredPhoto[], report: Report | null): Placed[] {
  const reasons = new Map(report?.photos.rejected.map(({ name, reason }) => [stem(name), reason]));
  const placed = photos.map((photo, i): Placed => ({ photo, number: i + 1, reason: photo.uploaded ? (reasons.get(stem(photo.as)) ?? null) : PHOTOS.notUploaded }));
  return [...placed.filter(({ reason }) => reason !== null), ...placed.filter(({ reason }) => reason === null)];
}

interface PhotoProps extends Placed {
  project: Project;
  removable: boolean;
  onChanged: () => void;
}

function Photo({ project, photo: { as, name, uploaded, thumbnail }, number, reason, removable, onChanged }: PhotoProps) {
  const remove = useAction(async () => {
    await api.removePhoto(project.id, as);
    onChanged();
  });
  const picture = thumbnail ? <img src={photoUrl(project.id, as, true)} alt="" loading="lazy" decoding="async" /> : <span class="blank fine">{name.split(".").at(-1)}</span>;
  return (
    <li class={reason === null ? "frame" : "frame rejected"}>
      {uploaded ? (
        <a class="thumb" href={photoUrl(project.id, as)} download={name} aria-label={PHOTOS.save(name)}>
          {picture}
        </a>
      ) : (
        <span class="thumb">{picture}</span>
      )}
      <p class="edge">
        <span>{number}</span>
        <span class="file-name" title={name}>
          {name}
        </span>
      </p>
      {reason === null ? null : <p class="why">{reason}</p>}
      {removable ? (
        <button class="button text" type="button" disabled={remove.busy} onClick={remove.run}>
          {PHOTOS.remove}
        </button>
      ) : null}
      <Failure error={remove.error} />
    </li>
  );
}
