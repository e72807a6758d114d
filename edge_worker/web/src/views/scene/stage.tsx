// The place where a scene is shown: loads the 3D engine when it is needed, poster first, controls of our own.
// Never blocks the page: the engine is a separate file, and a failure leaves the poster.
import { useEffect, useRef, useState } from "preact/hooks";

import type { CamerasFile } from "../../scene/cameras.ts";
import type { OpenScene } from "../../scene/viewer.ts";

import "./stage.css";

const SCROLL_KEYS = new Set(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", " "]);

interface Props {
  url: string;
  fileName: string;
  poster: string | null;
  /** Null when there is no cameras.json (yet): the whole scene is framed. */
  cameras: CamerasFile | null;
  label: string;
  /** The photo whose view is shown, by name. */
  view?: string | null;
  onFailure: (message: string) => void;
}

export function Stage({ url, fileName, poster, cameras, label, view = null, onFailure }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const scene = useRef<OpenScene | null>(null);
  const [percent, setPercent] = useState(0);
  const [shown, setShown] = useState(false);
  const [broken, setBroken] = useState(false);
  const [full, setFull] = useState(false);
  const [turning, setTurning] = useState(false);
  const [touched, setTouched] = useState(false);

  useEffect(() => {
    const container = frame.current;
    if (!container) return;
    let stopped = false;
    const fail = (): void => {
      if (stopped) return;
      setBroken(true);
      onFailure("The scene could not be shown. Its files can still be downloaded.");
    };
    setPercent(0);
    setBroken(false);
    void (async () => {
      try {
        const { openScene } = await import("../../scene/viewer.ts");
        if (stopped) return;
        const opened = await openScene({ container, url, fileName, cameras, onPercent: (p) => stopped || setPercent(p), onShown: () => stopped || setShown(true), onBroken: fail });
        if (stopped) return opened.close();
        // The one before stays on screen until the new one has drawn its first picture.
        scene.current?.close();
        scene.current = opened;
      } catch (error) {
        console.error(error);
        fail();
      }
    })();
    return () => {
      stopped = true;
    };
  }, [url, cameras]);

  useEffect(
    () => () => {
      scene.current?.close();
      scene.current = null;
    },
    [],
  );
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
        aria-label={`${label}. Drag to turn it, scroll or pinch to come closer, arrow keys to move, R for the start view.`}
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
          // The engine listens on the window; here only the page's own scrolling is held back.
          if (SCROLL_KEYS.has(event.key)) event.preventDefault();
        }}
      />
      {poster ? <img class="poster" src={poster} alt="" /> : null}
      {shown || broken ? null : (
        <p class="stage-note loading" role="status">
          {percent > 0 ? `${percent} %` : "Opening the scene…"}
        </p>
      )}
      {/* The same is in the frame's name, for those who hear the page. */}
      {shown && !touched ? (
        <p class="stage-note gestures" aria-hidden="true">
          <span class="by-mouse">Drag to turn, scroll to come closer</span>
          <span class="by-touch">Drag to turn, pinch to come closer</span>
        </p>
      ) : null}
      <div class="controls">
        <button type="button" class="control" disabled={!shown} onClick={() => scene.current?.reset()}>
          <Icon d="M4 10a8 8 0 1 1 2 6M4 4v6h6" />
          Start view
        </button>
        <button type="button" class="control" disabled={!shown} aria-pressed={turning} onClick={turn}>
          <Icon d={turning ? "M8 5v14M16 5v14" : "M8 5l11 7-11 7z"} />
          {turning ? "Hold" : "Turn"}
        </button>
        {document.fullscreenEnabled ? (
          <button type="button" class="control" aria-pressed={full} onClick={toggleFull}>
            <Icon d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5" />
            {full ? "Smaller" : "Full screen"}
          </button>
        ) : null}
      </div>
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
