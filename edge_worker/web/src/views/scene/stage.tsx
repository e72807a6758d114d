// The element that shows a scene: poster first, then the 3D engine, with our own controls.
// Never blocks the page: the engine is a separate file, and without a scene the poster is shown.
import { useEffect, useRef, useState } from "preact/hooks";

import type { Edit } from "../../../../shared/contracts/edit.ts";
import type { CamerasFile } from "../../scene/cameras.ts";
import { useTheatre } from "../../lib/theatre.ts";
import type { OpenScene } from "../../scene/viewer.ts";
import { STAGE } from "../../texts/stage.ts";
import { useScene } from "./use-scene.ts";

import "./stage.css";

/** Only while the scene has the focus, so that it never gets in the way of typing or speech input. */
const THEATRE_KEY = "t";
const SCROLL_KEYS = new Set(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", " "]);

interface Props {
  url: string;
  fileName: string;
  poster: string | null;
  /** Null without cameras.json: the view then starts from a default pose. */
  cameras: CamerasFile | null;
  edit?: Edit | null;
  handle?: { current: OpenScene | null } | undefined;
  label: string;
  /** The name of the photo whose view is shown. */
  view?: string | null;
  /** A missed preview is no failure: the next one, or the scene itself, follows. */
  optional?: boolean;
}

export function Stage({ url, fileName, poster, cameras, edit = null, handle, label, view = null, optional = false }: Props) {
  const whole = useRef<HTMLDivElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const { showing, scene, again } = useScene({ frame, url, fileName, cameras, edit, handle });
  const theatre = useTheatre(whole);
  const [full, setFull] = useState(false);
  const [turning, setTurning] = useState(false);
  const [touched, setTouched] = useState(false);
  const shown = showing.is === "shown";

  useEffect(() => {
    // A scene that came back, or a newer preview, goes on turning.
    if (shown && turning) scene.current?.turn(true);
  }, [shown, url]);
  useEffect(() => {
    if (view !== null) scene.current?.lookFrom(view);
  }, [view]);
  useEffect(() => {
    const note = (): void => setFull(document.fullscreenElement !== null && document.fullscreenElement === whole.current);
    document.addEventListener("fullscreenchange", note);
    return () => document.removeEventListener("fullscreenchange", note);
  }, []);

  const turn = (): void => {
    setTouched(true);
    scene.current?.turn(!turning);
    setTurning(!turning);
  };
  const toggleFull = (): void => {
    if (full) void document.exitFullscreen();
    else void whole.current?.requestFullscreen().catch(() => undefined);
  };
  return (
    <div ref={whole} class={["stage", shown && "shown", theatre.on && "in-theatre"].filter(Boolean).join(" ")}>
      <div
        ref={frame}
        class="stage-frame"
        role="application"
        aria-label={STAGE.label(label)}
        tabIndex={0}
        onFocusIn={() => scene.current?.listen(true)}
        onFocusOut={() => scene.current?.listen(false)}
        onPointerDown={() => {
          frame.current?.focus({ preventScroll: true });
          setTurning(false);
          setTouched(true);
        }}
        onKeyDown={(event) => {
          setTouched(true);
          // The engine listens on the window. This only stops the page from scrolling.
          if (SCROLL_KEYS.has(event.key)) event.preventDefault();
          if (event.key.toLowerCase() === THEATRE_KEY && !event.ctrlKey && !event.metaKey && !event.altKey) theatre.toggle();
        }}
      />
      {poster ? <img class="poster" src={poster} alt="" /> : null}
      {showing.is === "loading" ? (
        <p class="stage-note loading" role="status">
          {showing.percent > 0 ? STAGE.percent(showing.percent) : STAGE.loading}
        </p>
      ) : null}
      {showing.is === "lost" ? <Interruption message={STAGE.lost} again={again} /> : null}
      {showing.is === "broken" && !optional ? <Interruption {...showing.reason} again={again} /> : null}
      {/* Screen readers get the same from the frame's label. */}
      {shown && !touched ? (
        <p class="stage-note gestures" aria-hidden="true">
          <span class="by-mouse">{STAGE.byMouse}</span>
          <span class="by-touch">{STAGE.byTouch}</span>
        </p>
      ) : null}
      <div class="controls">
        <button type="button" class="control" disabled={!shown} onClick={() => scene.current?.reset()}>
          <Icon d="M4 10a8 8 0 1 1 2 6M4 4v6h6" />
          {STAGE.startView}
        </button>
        <button type="button" class="control" disabled={!shown} aria-pressed={turning} onClick={turn}>
          <Icon d={turning ? "M8 5v14M16 5v14" : "M8 5l11 7-11 7z"} />
          {turning ? STAGE.stop : STAGE.rotate}
        </button>
        <button type="button" class="control wide-only" aria-pressed={theatre.on} aria-keyshortcuts={THEATRE_KEY} title={STAGE.theatreTitle} onClick={theatre.toggle}>
          <Icon d={theatre.on ? "M9 6v3H6M15 6v3h3M9 18v-3H6M15 18v-3h3M2 4h20v16H2z" : "M2 5h20v14H2zM6 12h12M8.5 9.5 6 12l2.5 2.5M15.5 9.5 18 12l-2.5 2.5"} />
          {theatre.on ? STAGE.leaveTheatre : STAGE.theatre}
        </button>
        {document.fullscreenEnabled ? (
          <button type="button" class="control" aria-pressed={full} onClick={toggleFull}>
            <Icon d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5" />
            {full ? STAGE.leaveFull : STAGE.full}
          </button>
        ) : null}
      </div>
    </div>
  );
}

/** Over the poster: why there is no scene, and the way back to it. */
function Interruption({ message, hint, again }: { message: string; hint?: string; again: () => void }) {
  return (
    <div class="interruption" role="alert">
      <p>{message}</p>
      {hint ? <p class="small">{hint}</p> : null}
      <button type="button" class="control" onClick={again}>
        {STAGE.again}
      </button>
    </div>
  );
}

function Icon({ d }: { d: string }) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true">
      <path d={d} fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
