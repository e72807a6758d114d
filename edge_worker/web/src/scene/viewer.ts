// Opens a scene in an element and controls the 3D engine. The only module that imports it, loaded when needed.
// Never draws controls. The engine's own interface is off.
import { createViewer, type ViewerHandle } from "@playcanvas/supersplat-viewer/viewer";
import { defaultSettings } from "@playcanvas/supersplat-viewer/settings";

import { pose, startPose, toViewer, type CamerasFile, type Pose } from "./cameras.ts";

/** Behind the splats. The same in light and dark mode, so that colours look the same. */
const BACKGROUND: [number, number, number] = [0.043, 0.067, 0.102];

/**
 * The start view without cameras.json. A scene's origin is the centre of its subject and its unit is the
 * subject's radius (splat_worker/sfm/frame.py). Framing the whole scene would show mostly background.
 */
const UNPOSED: Pose = { position: [1.9, 1.7, 1.9], target: [0, 0, 0], fov: 55 };

export interface OpenOptions {
  container: HTMLElement;
  url: string;
  fileName: string;
  cameras: CamerasFile | null;
  onPercent: (percent: number) => void;
  /** The first complete frame is on the screen. */
  onShown: () => void;
  /** Loading failed after the engine had started. */
  onBroken: () => void;
}

export interface OpenScene {
  reset(): void;
  /** Orbit slowly around the subject, or stop. */
  turn(on: boolean): void;
  /** Move to the view of one photo. */
  lookFrom(name: string): void;
  /** Whether this scene reacts to the keyboard. */
  listen(on: boolean): void;
  close(): void;
}

export async function openScene(options: OpenOptions): Promise<OpenScene> {
  const { container, url, fileName, cameras, onPercent, onShown, onBroken } = options;
  const response = await fetch(url, { credentials: "same-origin" });
  if (!response.ok) throw new Error(`${fileName}: ${response.status}`);
  const viewer = await createViewer({
    container,
    contentUrl: new URL(url, location.href).href,
    contentFilename: fileName,
    contents: Promise.resolve(response),
    settings: settings(cameras),
    renderer: (await hasWebGpu()) ? "webgpu" : "webgl",
    ui: false,
    noanim: true,
  });
  viewer.state.inputEnabled = false;
  const release = letPageScroll(container);
  let shown = false;
  viewer.events.on("progress:changed", (percent: number) => onPercent(Math.round(percent)));
  const show = (): void => {
    if (shown) return;
    shown = true;
    onShown();
  };
  if (viewer.state.loaded) show();
  else viewer.events.once("loaded:changed", show);
  let closed = false;
  viewer.app.assets.on("error", () => {
    if (!closed) onBroken();
  });
  const isOpen = (): boolean => viewer.state.loaded && !closed;
  return {
    reset: () => {
      if (isOpen()) viewer.resetCamera();
    },
    turn: (on) => {
      if (isOpen()) turn(viewer, on);
    },
    lookFrom: (name) => {
      const index = cameras?.cameras.findIndex((camera) => camera.name === name) ?? -1;
      if (isOpen() && index >= 0) viewer.selectAnnotation(index);
    },
    listen: (on) => {
      viewer.state.inputEnabled = on;
    },
    close: () => {
      closed = true;
      release();
      viewer.destroy();
    },
  };
}

/** Some browsers have the interface but no adapter. Checking first avoids a failed start of the engine. */
async function hasWebGpu(): Promise<boolean> {
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu;
  if (!gpu) return false;
  return gpu.requestAdapter().then(
    (adapter) => adapter !== null,
    () => false,
  );
}

function turn(viewer: ViewerHandle, on: boolean): void {
  if (on) viewer.state.cameraMode = "anim";
  viewer.state.animationPaused = !on;
}

/** Passes the cameras as annotations: the engine flies to an annotation when it is selected. */
function settings(cameras: CamerasFile | null): object {
  const start = (cameras && startPose(cameras)) ?? UNPOSED;
  return {
    ...defaultSettings("object"),
    background: { color: BACKGROUND },
    animTracks: [],
    cameras: [{ initial: start }],
    annotations: (cameras?.cameras ?? []).map((camera) => ({
      position: toViewer(cameras?.target ?? [0, 0, 0]),
      title: camera.name,
      text: "",
      camera: { initial: pose(camera, cameras?.target ?? [0, 0, 0]) },
    })),
    startMode: "default",
  };
}

/** The wheel scrolls the page until the scene has focus. */
function letPageScroll(container: HTMLElement): () => void {
  const pass = (event: WheelEvent): void => {
    const meant = container.contains(document.activeElement) || container === document.activeElement || document.fullscreenElement !== null;
    if (!meant) event.stopPropagation();
  };
  container.addEventListener("wheel", pass, { capture: true });
  return () => container.removeEventListener("wheel", pass, { capture: true });
}
