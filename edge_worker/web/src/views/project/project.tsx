// One project: keeps it up to date and shows the page for its state.
// Never draws a state itself.
import { useEffect, useRef, useState } from "preact/hooks";

import type { Session, Settings } from "../../../../shared/contracts/api.ts";
import type { Project } from "../../../../shared/contracts/project.ts";
import { ACTIVE, FINAL } from "../../../../shared/stages.ts";
import { may, noticeFailure } from "../../api/account.ts";
import { api, ownSource, type ApiError } from "../../api/api.ts";
import { forget, lastSeen, remember } from "../../api/last-seen.ts";
import { watch, type Watch } from "../../api/live.ts";
import { useMark } from "../../lib/badge.ts";
import { useStore } from "../../lib/store.ts";
import { keepForecast } from "../../scene/progress.ts";
import { tabWords } from "../../scene/status.ts";
import { current, type UploadSession } from "../../upload/session.ts";
import { later } from "../common/later.tsx";
import { Missing, Notice, Trouble, Wait } from "../common/notices.tsx";
import { Link, useTitle } from "../common/parts.tsx";
import { Ready } from "./ready.tsx";
import { Running } from "./running.tsx";
import { Sending } from "./sending.tsx";
import type { StateProps } from "./state-props.ts";

import "./project.css";

const Ended = later(async () => (await import("./ended.tsx")).Ended);
const Interrupted = later(async () => (await import("./interrupted.tsx")).Interrupted);
const Scene = later(async () => (await import("../scene/scene.tsx")).Scene);

interface Props {
  id: string;
  session: Session;
  settings: Settings;
}

export function ProjectPage({ id, session, settings }: Props) {
  const [project, setProject] = useState<Project | null>(lastSeen(id));
  const [fresh, setFresh] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const upload = useStore(current);
  const watching = useRef<Watch | null>(null);
  // A final state needs no watching once the server has confirmed it.
  const settled = fresh && project !== null && FINAL.has(project.state) && !(upload?.projectId === id && adds(upload, project));

  useEffect(() => {
    if (settled) return;
    const one = watch(id, {
      onProject: (newest) => {
        remember(newest);
        setProject((before) => keepForecast(before, newest));
        setFresh(true);
        setError(null);
      },
      onError: (failure) => setError(noticeFailure(failure)),
    });
    watching.current = one;
    return () => one.stop();
  }, [id, settled]);

  // Somebody may have deleted a finished scene, or made it again, while this tab was in the background.
  useEffect(() => {
    if (!settled) return;
    const look = (): void => void (document.visibilityState === "visible" && api.project(id).then(setProject, (failure: unknown) => setError(noticeFailure(failure))));
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, [id, settled]);

  useTab(project);

  if (project && error?.status === 404) return <Deleted name={project.name} id={id} />;
  if (!project) {
    if (error?.status === 404 || error?.status === 400) return <Missing what="Scene" />;
    if (error) return <Trouble error={error} again={() => watching.current?.refresh()} />;
    return <Wait />;
  }
  const state: StateProps = {
    project,
    settings,
    mayUpload: may(session, "upload"),
    mayOperate: may(session, "operate"),
    onProject: (newest) => {
      remember(newest);
      setProject(newest);
    },
  };
  return (
    <>
      {error ? <p class="strip" role="status">{error.message} What you see may be out of date. The page keeps trying.</p> : null}
      <ByState state={state} upload={upload?.projectId === id ? upload : null} />
    </>
  );
}

/** The tab follows the job, and keeps its end until somebody looks. */
function useTab(project: Project | null): void {
  const state = project?.state;
  const [unseen, setUnseen] = useState(false);
  const before = useRef(state);
  useEffect(() => {
    const ended = before.current !== undefined && ACTIVE.has(before.current) && state !== undefined && FINAL.has(state);
    before.current = state;
    if (!ended || document.visibilityState === "visible") return;
    setUnseen(true);
    const seen = (): void => setUnseen(false);
    document.addEventListener("visibilitychange", seen, { once: true });
    return () => document.removeEventListener("visibilitychange", seen);
  }, [state]);
  useMark(unseen ? "ended" : state !== undefined && ACTIVE.has(state) ? "live" : "none");
  useTitle(project ? `${tabWords(project, unseen)} · Splat` : "Splat");
}

/** It was there a moment ago: deleted in another tab or by another member. */
function Deleted({ name, id }: { name: string; id: string }) {
  useEffect(() => {
    forget(id);
    if (current.get()?.projectId !== id) return;
    current.get()?.stop();
    current.set(null);
  }, [id]);
  return (
    <Notice title="This scene was deleted." lead={`“${name}” was deleted in another tab or by somebody else.`}>
      <p>
        <Link class="button" href="/">
          Go to your scenes
        </Link>
      </p>
    </Notice>
  );
}

/** Whether the upload adds photos to a scene that was made. Until its job has started, the scene before is still there. */
const adds = (upload: UploadSession, { state, attempt }: Project): boolean => FINAL.has(state) && upload.options.attempt === attempt;

function ByState({ state, upload }: { state: StateProps; upload: UploadSession | null }) {
  if (upload !== null && adds(upload, state.project)) return <Sending {...state} upload={upload} />;
  switch (state.project.state) {
    case "new":
    case "uploading":
      return upload ? <Sending {...state} upload={upload} /> : <Interrupted {...state} />;
    case "ready":
      return upload && upload.progress.get().phase !== "stopped" ? <Sending {...state} upload={upload} /> : <Ready {...state} />;
    case "queued":
    case "running":
      // While an edit is applied, the scene before stays.
      if (state.project.editing !== null && state.project.shown !== null) return <Scene {...state} source={ownSource(state.project.id)} />;
      return <Running {...state} />;
    case "done":
      return <Scene {...state} source={ownSource(state.project.id)} />;
    case "failed":
    case "cancelled":
      return <Ended {...state} />;
  }
}
