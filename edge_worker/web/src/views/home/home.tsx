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
import { Store, useStore } from "../../lib/store.ts";
import { stateWords } from "../../scene/status.ts";
import { otherUploads } from "../../upload/other-tabs.ts";
import { current } from "../../upload/session.ts";
import { BULK, HOME } from "../../texts/home.ts";
import { Dialog } from "../common/dialog.tsx";
import { DropZone, Pickers } from "../common/drop-zone.tsx";
import { Failure, Link, useAction, useTitle } from "../common/parts.tsx";
import { Ring } from "../common/ring.tsx";
import { Selection } from "./selection.tsx";
import { EVERYTHING, KINDS, KIND_WORDS, ORDERS, ORDER_WORDS, append, narrow, needsAll, refresh, type Kind, type Order, type Pages, type Wanted } from "./scene-list.ts";

import "./home.css";

const PAGE_SIZE = 24;
/** Of older scenes, at once. */
const MORE_SIZE = 100;
/** So many scenes need no search. */
const FEW = 8;
const REFRESH_MS = 5000;
const RING_COUNT = 24;

export function Home({ session, settings }: { session: Session; settings: Settings }) {
  useTitle("Splat: photos in, 3D scene out");
  const chosen = useStore(intake.chosen).length;
  const [asked, setAsked] = useState<readonly DroppedFile[] | null>(null);
  const take = (files: readonly DroppedFile[]): void => {
    intake.add(files);
    go("/new");
  };
  const choose = (files: DroppedFile[]): void => {
    if (files.length === 0) return;
    if (chosen > 0) setAsked(files);
    else take(files);
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
              <p class="drop-title">{HOME.drop}</p>
              <p class="fine">
                {HOME.takes(settings.limits.photos_min, settings.limits.photos_max)}
              </p>
              <Pickers onFiles={choose} />
              {chosen > 0 ? <Draft count={chosen} /> : null}
            </div>
          </DropZone>
        ) : (
          <p class="panel">You can view scenes. To make your own, ask whoever runs this service for a sign-in link with upload access.</p>
        )}
      </section>
      <Scenes mayDelete={may(session, "operate")} />
      {asked ? (
        <Dialog title={`Add to the ${plural(chosen, "chosen photo")}?`} onClose={() => setAsked(null)}>
          {() => (
            <>
              <p>You chose {plural(chosen, "photo")} before and have not made a scene of them.</p>
              <div class="row end">
                <button
                  class="button quiet"
                  type="button"
                  onClick={() => {
                    intake.clear();
                    take(asked);
                  }}
                >
                  Start over with the new {asked.length === 1 ? "file" : "files"}
                </button>
                <button class="button" type="button" onClick={() => take(asked)}>
                  Add
                </button>
              </div>
            </>
          )}
        </Dialog>
      ) : null}
    </>
  );
}

/** Photos that were chosen earlier, here or before a reload, and not uploaded. */
function Draft({ count }: { count: number }) {
  return (
    <div class="row links">
      <span>{plural(count, "photo")} chosen earlier.</span>
      <Link class="button text" href="/new">
        Continue
      </Link>
      <button class="button text" type="button" onClick={() => intake.clear()}>
        Start over
      </button>
    </div>
  );
}

/** Outlives the page, so that going back finds the list as it was. */
const kept = new Store<Pages | null>(null);

/** For a sign-out: the next person must not see the list. */
export const forgetScenes = (): void => kept.set(null);

function Scenes({ mayDelete }: { mayDelete: boolean }) {
  const pages = useStore(kept);
  const setPages = (change: (old: Pages | null) => Pages): void => kept.update(change);
  const [wanted, setWanted] = useState(EVERYTHING);
  const [error, setError] = useState<ApiError | null>(null);
  const [picked, setPicked] = useState<ReadonlySet<string> | null>(null);
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
    const next = await api.projects(pages?.cursor ?? null, MORE_SIZE);
    setPages((old) => append(next, old));
  });
  const all = needsAll(wanted);
  useEffect(() => {
    // Search and order are about all scenes, so the rest is loaded, a page at a time.
    if (all && pages?.cursor && !older.busy && !older.error) older.run();
  }, [all, pages?.cursor, older.busy]);
  const shown = pages === null ? [] : narrow(pages.projects, wanted);

  return (
    <section class="stack scenes" aria-labelledby="scenes-title">
      <h2 id="scenes-title">Scenes</h2>
      <Failure error={error ?? older.error} />
      {pages === null && !error ? <p class="quiet" role="status">Loading your scenes…</p> : null}
      {pages?.projects.length === 0 ? <p class="quiet">No scenes yet. Your first one appears here as soon as its upload starts.</p> : null}
      {pages && (pages.cursor !== null || pages.projects.length > FEW) ? <Search wanted={wanted} onWanted={setWanted} /> : null}
      {all && pages?.cursor ? <p class="quiet" role="status">Loading older scenes…</p> : null}
      {all && pages && !pages.cursor ? <p class="quiet" role="status">{plural(shown.length, "scene")} found.</p> : null}
      {mayDelete && shown.length > 1 ? (
        <Selection
          shown={shown}
          picked={picked}
          onPicked={setPicked}
          onDeleted={(gone) => setPages((old) => ({ projects: (old?.projects ?? []).filter(({ id }) => !gone.includes(id)), cursor: old?.cursor ?? null }))}
        />
      ) : null}
      {shown.length > 0 ? (
        <ul class="grid">
          {shown.map((project) => (
            <Card key={project.id} project={project} picked={picked?.has(project.id) ?? null} onPick={() => setPicked((old) => toggled(old ?? new Set(), project.id))} />
          ))}
        </ul>
      ) : null}
      {pages?.cursor && !all ? (
        <button class="button quiet" type="button" disabled={older.busy} onClick={older.run}>
          Show older scenes
        </button>
      ) : null}
    </section>
  );
}

interface SearchProps {
  wanted: Wanted;
  onWanted: (wanted: Wanted) => void;
}

function Search({ wanted, onWanted }: SearchProps) {
  return (
    <div class="row search" role="search">
      <label class="inline">
        <span>Search</span>
        <input type="search" value={wanted.text} onInput={({ currentTarget }) => onWanted({ ...wanted, text: currentTarget.value })} />
      </label>
      <label class="inline">
        <span>Show</span>
        <select value={wanted.kind} onChange={({ currentTarget }) => onWanted({ ...wanted, kind: currentTarget.value as Kind })}>
          {KINDS.map((kind) => (
            <option key={kind} value={kind}>
              {KIND_WORDS[kind]}
            </option>
          ))}
        </select>
      </label>
      <label class="inline">
        <span>Order</span>
        <select value={wanted.order} onChange={({ currentTarget }) => onWanted({ ...wanted, order: currentTarget.value as Order })}>
          {ORDERS.map((order) => (
            <option key={order} value={order}>
              {ORDER_WORDS[order]}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

const toggled = (set: ReadonlySet<string>, id: string): ReadonlySet<string> => (set.has(id) ? new Set([...set].filter((one) => one !== id)) : new Set([...set, id]));

interface CardProps {
  project: Project;
  /** null while nothing is selected for deletion: the card is a link. */
  picked: boolean | null;
  onPick: () => void;
}

function Card({ project, picked, onPick }: CardProps) {
  const here = useStore(current)?.projectId === project.id && current.get()?.progress.get().phase !== "stopped";
  const uploading = useStore(otherUploads).has(project.id) || here;
  // Rows that an older version listed have no cover.
  const poster = project.cover?.thumbnail_url ?? (project.artifacts["poster.webp"] ? ownSource(project.id).artifact("poster.webp", project.shown) : null);
  const inside = (
    <>
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
    </>
  );
  return (
    <li class={`card ${project.state}`}>
      {picked === null ? (
        <Link href={projectPath(project.id)}>{inside}</Link>
      ) : (
        <label class="pick">
          <input type="checkbox" checked={picked} aria-label={BULK.pick(project.name)} onChange={onPick} />
          {inside}
        </label>
      )}
    </li>
  );
}
