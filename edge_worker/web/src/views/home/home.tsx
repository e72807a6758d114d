// The first page: what the service does, a place to drop photos, and the list of scenes.
// Never uploads: chosen photos go to the review page first.
import { useEffect, useState } from "preact/hooks";

import type { Session, Settings } from "../../../../shared/contracts/api.ts";
import type { Project } from "../../../../shared/contracts/project.ts";
import { ACTIVE } from "../../../../shared/stages.ts";
import { may, noticeFailure } from "../../api/account.ts";
import { api, ownSource, type ApiError } from "../../api/api.ts";
import { remember } from "../../api/last-seen.ts";
import type { DroppedFile } from "../../intake/dropped.ts";
import { intake } from "../../intake/intake.ts";
import { ago, plural } from "../../lib/format.ts";
import { go, projectPath } from "../../lib/router.ts";
import { useStore } from "../../lib/store.ts";
import { stateWords } from "../../scene/status.ts";
import { otherUploads } from "../../upload/other-tabs.ts";
import { current } from "../../upload/session.ts";
import { DropZone, Pickers } from "../common/drop-zone.tsx";
import { Failure, Link, useAction, useTitle } from "../common/parts.tsx";
import { Ring } from "../common/ring.tsx";
import { append, refresh, type Pages } from "./scene-list.ts";

import "./home.css";

const PAGE_SIZE = 24;
const REFRESH_MS = 5000;
const RING_COUNT = 24;

export function Home({ session, settings }: { session: Session; settings: Settings }) {
  useTitle("Splat: photos in, 3D scene out");
  const choose = (files: DroppedFile[]): void => {
    if (files.length === 0) return;
    intake.add(files);
    go("/new");
  };
  return (
    <>
      <section class="hero">
        <div class="stack pitch">
          <h1>
            Walk around it.
            <br />
            Keep it in 3D.
          </h1>
          <p class="lead">Photograph something from every side and get a 3D scene to turn, share and download.</p>
        </div>
        <ol class="how">
          <li>Take 20 or more photos, in one or two circles, in even light.</li>
          <li>Overlap each photo with the next by about two thirds.</li>
          <li>Keep the subject still and move the camera.</li>
        </ol>
        {may(session, "upload") ? (
          <DropZone className="stack drop" onFiles={choose}>
            <Ring count={RING_COUNT} lit={0} />
            <div class="stack tight drop-words">
              <p class="drop-title">Drop your photos here</p>
              <p class="fine">
                {settings.limits.photos_min} to {settings.limits.photos_max} photos or a folder, as JPEG, PNG, WebP or HEIC
              </p>
              <Pickers onFiles={choose} />
            </div>
          </DropZone>
        ) : (
          <p class="panel">You can view scenes. To make your own, ask whoever runs this service for a sign-in link with upload access.</p>
        )}
      </section>
      <Scenes />
    </>
  );
}

function Scenes() {
  const [pages, setPages] = useState<Pages | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    let stopped = false;
    const load = async (): Promise<void> => {
      if (document.visibilityState === "hidden") return;
      try {
        const first = await api.projects(null, PAGE_SIZE);
        if (stopped) return;
        setError(null);
        for (const project of first.projects) remember(project);
        setPages((old) => refresh(first, old));
      } catch (failure) {
        if (!stopped) setError(noticeFailure(failure));
      }
    };
    void load();
    const timer = setInterval(() => void load(), REFRESH_MS);
    return () => {
      stopped = true;
      clearInterval(timer);
    };
  }, []);

  const older = useAction(async () => {
    const next = await api.projects(pages?.cursor ?? null, PAGE_SIZE);
    setPages((old) => append(next, old));
  });

  return (
    <section class="stack scenes" aria-labelledby="scenes-title">
      <h2 id="scenes-title">Scenes</h2>
      <Failure error={error ?? older.error} />
      {pages === null && !error ? <p class="quiet" role="status">Loading your scenes…</p> : null}
      {pages?.projects.length === 0 ? <p class="quiet">No scenes yet. Your first one appears here as soon as its upload starts.</p> : null}
      {pages && pages.projects.length > 0 ? (
        <ul class="grid">
          {pages.projects.map((project) => (
            <Card key={project.id} project={project} />
          ))}
        </ul>
      ) : null}
      {pages?.cursor ? (
        <button class="button quiet" type="button" disabled={older.busy} onClick={older.run}>
          Show older scenes
        </button>
      ) : null}
    </section>
  );
}

function Card({ project }: { project: Project }) {
  const here = useStore(current)?.projectId === project.id && current.get()?.progress.get().phase !== "stopped";
  const uploading = useStore(otherUploads).has(project.id) || here;
  const poster = project.artifacts["poster.webp"] ? ownSource(project.id).artifact("poster.webp", project.attempt) : null;
  return (
    <li class={`card ${project.state}`}>
      <Link href={projectPath(project.id)}>
        <div class="thumb">
          {poster ? <img src={poster} alt="" loading="lazy" decoding="async" /> : <Ring count={Math.min(40, Math.max(8, project.photos.count))} lit={project.photos.count} />}
          {ACTIVE.has(project.state) ? <div class="live-bar" style={{ transform: `scaleX(${project.progress?.fraction ?? 0})` }} /> : null}
        </div>
        <h3>{project.name}</h3>
        <p class="meta fine">
          <span class="state">{stateWords(project, uploading)}</span>
          <span>{plural(project.photos.count, "photo")}</span>
          <span>{ago(project.created_at, Date.now())}</span>
        </p>
      </Link>
    </li>
  );
}
