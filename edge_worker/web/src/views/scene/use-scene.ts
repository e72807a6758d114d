// One scene in one element: opened, replaced by a newer one without a gap, lost and shown again.
// Draws nothing but the engine's own layer; stage.tsx shows the state around it.
import { useEffect, useRef, useState } from "preact/hooks";

import { UNEDITED, type Edit } from "../../../../shared/contracts/edit.ts";
import { lazily } from "../../lib/lazy.ts";
import type { CamerasFile } from "../../scene/cameras.ts";
import { fetchAgainIn, nextRestore, reasonFor, type Reason, type Trouble } from "../../scene/recovery.ts";
import type { OpenScene } from "../../scene/viewer.ts";

export type Showing =
  | { is: "loading"; percent: number }
  | { is: "shown" }
  /** The device took the graphics away. The scene comes back by itself, or when asked. */
  | { is: "lost" }
  | { is: "broken"; reason: Reason };

export interface SceneState {
  showing: Showing;
  scene: { current: OpenScene | null };
  /** Shows the scene again after it was lost or broke. */
  again: () => void;
}

interface Options {
  frame: { readonly current: HTMLDivElement | null };
  url: string;
  fileName: string;
  cameras: CamerasFile | null;
  edit: Edit | null;
  /** Where the page that edits the scene finds it. */
  handle?: { current: OpenScene | null } | undefined;
}

const RESTORE_AFTER_MS = 500;

export function useScene({ frame, url, fileName, cameras, edit, handle }: Options): SceneState {
  const own = useRef<OpenScene | null>(null);
  const scene = handle ?? own;
  const restores = useRef({ count: 0, shownAt: 0 });
  const [tries, setTries] = useState(0);
  const [showing, setShowing] = useState<Showing>({ is: "loading", percent: 0 });

  useEffect(() => {
    const container = frame.current;
    if (!container) return;
    let stopped = false;
    let opened: OpenScene | null = null;
    let drawn = false;
    const before = scene.current;
    // The scene before stays on the screen, and over it nothing, until this one has drawn its first frame.
    const layer = document.createElement("div");
    layer.className = "stage-layer";
    container.append(layer);
    const close = (): void => {
      opened?.close();
      layer.remove();
    };
    const fail = (trouble: Trouble): void => {
      if (stopped) return;
      close();
      // While an older scene is on the screen, it is better than a reason.
      if (before === null || scene.current !== before) setShowing({ is: "broken", reason: reasonFor(trouble) });
    };
    const settle = (): void => {
      if (stopped || opened === null || !drawn) return;
      scene.current?.close();
      scene.current = { ...opened, close };
      restores.current.shownAt = Date.now();
      layer.classList.add("drawn");
      setShowing({ is: "shown" });
    };
    const onLost = (): void => {
      const onScreen = scene.current?.close === close;
      close();
      if (stopped && !onScreen) return;
      if (onScreen) scene.current = null;
      setShowing({ is: "lost" });
      const count = nextRestore(restores.current.count, onScreen ? Date.now() - restores.current.shownAt : 0);
      if (count === null) return;
      restores.current.count = count;
      whenVisible(() => scene.current === null && setTries((n) => n + 1));
    };
    if (before === null) setShowing({ is: "loading", percent: 0 });
    void (async () => {
      const viewer = await lazily(() => import("../../scene/viewer.ts")).catch((error: unknown) => {
        console.error(error);
        fail({ is: "part" });
        return null;
      });
      if (viewer === null) return;
      const onPercent = (percent: number): void => {
        if (!stopped) setShowing((now) => (now.is === "loading" ? { is: "loading", percent } : now));
      };
      const onShown = (): void => {
        drawn = true;
        settle();
      };
      // Previews have no cameras: each continues from the view of the one before.
      const startAt = cameras === null ? (before?.view() ?? null) : null;
      const options = { container: layer, frame: container, url, fileName, cameras, edit, startAt, onPercent, onShown, onBroken: () => fail({ is: "file" }), onLost };
      for (let n = 1; !stopped; n += 1) {
        try {
          opened = await viewer.openScene(options);
          if (stopped) return close();
          return settle();
        } catch (error) {
          console.error(error);
          const wait = error instanceof viewer.FetchFailed ? fetchAgainIn(n, error.status) : null;
          if (wait === null) return fail(error instanceof viewer.FetchFailed ? { is: "fetch", status: error.status } : { is: "engine" });
          await new Promise((resolve) => setTimeout(resolve, wait));
        }
      }
    })();
    return () => {
      stopped = true;
      // On the screen until its successor is; the last one closes with the page.
      if (scene.current?.close !== close) close();
    };
    // A cover changes nothing of the scene, and what is hidden needs no other scene.
  }, [url, cameras, tries, JSON.stringify([edit?.up, edit?.start])]);

  useEffect(() => scene.current?.hide(edit ?? UNEDITED), [JSON.stringify([edit?.crops, edit?.floaters])]);

  useEffect(
    () => () => {
      scene.current?.close();
      scene.current = null;
    },
    [],
  );
  return { showing, scene, again: () => setTries((n) => n + 1) };
}

/** Soon, or once the page is visible again: a phone gives no graphics to a page in the background. */
function whenVisible(act: () => void): void {
  if (document.visibilityState === "visible") {
    setTimeout(act, RESTORE_AFTER_MS);
    return;
  }
  const look = (): void => {
    if (document.visibilityState !== "visible") return;
    document.removeEventListener("visibilitychange", look);
    setTimeout(act, RESTORE_AFTER_MS);
  };
  document.addEventListener("visibilitychange", look);
}
