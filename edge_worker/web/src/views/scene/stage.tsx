// The element that shows a scene: poster first, then the 3D engine, with our own controls.
// Never blocks the page: the engine is a separate file, and without a scene the poster is shown.
import { useEffect, useRef, useState } from "preact/hooks";

import type { Edit } from "../../../../shared/contracts/edit.ts";
import type { CamerasFile } from "../../scene/cameras.ts";
import type { OpenScene } from "../../scene/viewer.ts";
import { useScene } from "./use-scene.ts";

import "./stage.css";

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
  const frame = useRef<HTMLDivElement>(null);
  const { showing, scene, again } = useScene({ frame, url, fileName, cameras, edit, handle });
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
    const note = (): void => setFull(document.fullscreenElement !== null && document.fullscreenElement === frame.current?.parentElement);
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
    else void frame.current?.parentElement?.requestFullscreen().catch(() => undefined);
  };
  return (
    <div class={shown ? "stage shown" : "stage"}>
      <div
        ref={frame}
        class="stage-frame"
        role="application"
        aria-label={`${label}. Drag to turn, scroll or pinch to zoom, use the arrow keys to move, press R for the start view.`}
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
        }}
      />
      {poster ? <img class="poster" src={poster} alt="" /> : null}
      {showing.is === "loading" ? (
        <p class="stage-note loading" role="status">
          {showing.percent > 0 ? `${showing.percent} %` : "Loading the scene…"}
        </p>
      ) : null}
      {showing.is === "lost" ? <Interruption message="The device paused the 3D graphics." again={again} /> : null}
      {showing.is === "broken" && !optional ? <Interruption {...showing.reason} again={again} /> : null}
      {/* Screen readers get the same from the frame's label. */}
      {shown && !touched ? (
        <p class="stage-note gestures" aria-hidden="true">
          <span class="by-mouse">Drag to turn, scroll to zoom</span>
          <span class="by-touch">Drag to turn, pinch to zoom</span>
        </p>
      ) : null}
      <div class="controls">
        <button type="button" class="control" disabled={!shown} onClick={() => scene.current?.reset()}>
          <Icon d="M4 10a8 8 0 1 1 2 6M4 4v6h6" />
          Start view
        </button>
        <button type="button" class="control" disabled={!shown} aria-pressed={turning} onClick={turn}>
          <Icon d={turning ? "M8 5v14M16 5v14" : "M8 5l11 7-11 7z"} />
          {turning ? "Stop" : "Rotate"}
        </button>
        {document.fullscreenEnabled ? (
          <button type="button" class="control" aria-pressed={full} onClick={toggleFull}>
            <Icon d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5" />
            {full ? "Exit" : "Full screen"}
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
        Show again
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
