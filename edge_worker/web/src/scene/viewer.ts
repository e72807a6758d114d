// Opens a scene in an element and controls the 3D engine. The only module that imports it, loaded when needed.
// Never draws controls. The engine's own interface is off.
import { createViewer, type ViewerHandle } from "@playcanvas/supersplat-viewer/viewer";
import { defaultSettings } from "@playcanvas/supersplat-viewer/settings";

import { UNEDITED, type Edit } from "../../../shared/contracts/edit.ts";
import { pose, startPose, toFile, type CamerasFile, type Pose, type Vec3 } from "./cameras.ts";
import { limitOrbit } from "./soft-orbit.ts";
import { limitsOf } from "./orbit.ts";
import { Preview, type Hidden } from "./edit/preview.ts";
import { cameraNow, follow, type Camera } from "./follow.ts";
import { about, multiply, rotate, toUpright, upOf, type Turn } from "./turn.ts";

/** Behind the splats. The same in light and dark mode, so that colours look the same. */
const BACKGROUND: [number, number, number] = [0.043, 0.067, 0.102];

/**
 * The start view without cameras.json. A scene's origin is the centre of its subject and its unit is the
 * subject's radius (splat_worker/sfm/frame.py). Framing the whole scene would show mostly background.
 */
const UNPOSED: Pose = { position: [1.9, 1.7, 1.9], target: [0, 0, 0], fov: 55 };

export interface OpenOptions {
  /** The engine fills it. */
  container: HTMLElement;
  /** Holds the keyboard focus, around the container. */
  frame: HTMLElement;
  url: string;
  fileName: string;
  cameras: CamerasFile | null;
  /** How the scene is shown other than the worker made it. */
  edit: Edit | null;
  /** The view to start with, in place of the cameras' own: that of a scene which this one replaces. */
  startAt: Pose | null;
  onPercent: (percent: number) => void;
  /** The first complete frame is on the screen. */
  onShown: () => void;
  /** The file could not be read after the engine had started. */
  onBroken: () => void;
  /** The device took the graphics memory away, for example from a phone's page in the background. Only `close` works after this. */
  onLost: () => void;
}

export interface OpenScene {
  reset(): void;
  /** Orbit slowly around the subject, or stop. */
  turn(on: boolean): void;
  /** Move to the view of one photo. */
  lookFrom(name: string): void;
  /** Whether this scene reacts to the keyboard. */
  listen(on: boolean): void;
  /** The view now, or null before the first frame. */
  view(): Pose | null;
  /** The same in the axes of the scene's file. */
  fileView(): Pose | null;
  /** Leans the scene by these degrees, seen from where the camera was at the first call. Returns where up is then, in the file's axes. */
  tilt(forwardDeg: number, sidewaysDeg: number): Vec3 | null;
  /** Hides what an edit removes, at once. */
  hide(hidden: Hidden): void;
  /** From the file's axes to those in which the scene is shown. */
  upright(): Turn;
  /** How far the farthest camera is from the middle, in scene units; null without cameras. */
  reach(): number | null;
  /** The camera now, for a scene that is drawn from the same place; null before the first frame. */
  camera(): Camera | null;
  /** From now on this scene is drawn by another one's camera, and moves by nothing else. */
  follow(leader: () => Camera | null): void;
  /** The next frame as a picture, or null if there is none. */
  picture(): Promise<HTMLCanvasElement | null>;
  close(): void;
}

/** The scene's file could not be fetched. `status` is 0 when the server could not be reached. */
export class FetchFailed extends Error {
  constructor(
    fileName: string,
    readonly status: number,
  ) {
    super(`${fileName}: ${status}`);
    this.name = "FetchFailed";
  }
}

export async function openScene(options: OpenOptions): Promise<OpenScene> {
  const { container, frame, url, fileName, cameras, edit, startAt, onPercent, onShown, onBroken, onLost } = options;
  const response = await fetch(url, { credentials: "same-origin" }).catch(() => {
    throw new FetchFailed(fileName, 0);
  });
  if (!response.ok) throw new FetchFailed(fileName, response.status);
  const aspect = container.clientWidth / Math.max(1, container.clientHeight) || 1;
  const viewer = await createViewer({
    container,
    contentUrl: new URL(url, location.href).href,
    contentFilename: fileName,
    contents: Promise.resolve(response),
    settings: settings(cameras, edit, startAt, aspect),
    renderer: (await hasWebGpu()) ? "webgpu" : "webgl",
    ui: false,
    noanim: true,
  });
  const upright = toUpright(edit?.up ?? null);
  const preview = new Preview(viewer.app);
  let hidden: Hidden = edit ?? UNEDITED;
  onceLoaded(viewer, () => {
    applyTurn(viewer, upright);
    preview.show(hidden, upright);
  });
  limitOrbit(viewer.app, limitsOf(seenFrom(cameras, edit, aspect)));
  viewer.state.inputEnabled = false;
  const release = letPageScroll(frame);
  let shown = false;
  viewer.events.on("progress:changed", (percent: number) => onPercent(Math.round(percent)));
  const show = (): void => {
    if (shown) return;
    shown = true;
    // Around the subject. A scene with a background contains its cameras, and the engine would fly instead.
    viewer.state.cameraMode = "orbit";
    onShown();
  };
  if (viewer.state.loaded) show();
  else viewer.events.once("loaded:changed", show);
  let closed = false;
  viewer.app.assets.on("error", () => {
    if (!closed) onBroken();
  });
  viewer.app.graphicsDevice.once("devicelost", () => {
    if (!closed) onLost();
  });
  const isOpen = (): boolean => viewer.state.loaded && !closed;
  const view = (): Pose | null => (isOpen() ? viewNow(viewer, startAt ?? ownStart(cameras, edit, aspect)) : null);
  let axes: { right: Vec3; forward: Vec3 } | null = null;
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
    view,
    fileView: () => {
      const now = view();
      return now && toFile(now, upright);
    },
    tilt: (forwardDeg, sidewaysDeg) => {
      if (!isOpen()) return null;
      axes ??= cameraAxes(viewer);
      if (axes === null) return null;
      const turn = multiply(multiply(about(axes.right, forwardDeg), about(axes.forward, sidewaysDeg)), upright);
      applyTurn(viewer, turn);
      preview.show(hidden, turn);
      return upOf(turn);
    },
    hide: (next) => {
      hidden = next;
      if (isOpen()) preview.show(hidden, upright);
    },
    upright: () => upright,
    reach: () => (cameras === null || cameras.cameras.length === 0 ? null : Math.max(...cameras.cameras.map(({ position }) => Math.hypot(...position)))),
    camera: () => (isOpen() ? cameraNow(viewer) : null),
    follow: (leader) => follow(viewer, leader),
    picture: () => (isOpen() ? nextFrame(viewer) : Promise.resolve(null)),
    close: () => {
      if (closed) return;
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
function settings(cameras: CamerasFile | null, edit: Edit | null, startAt: Pose | null, aspect: number): object {
  const start = startAt ?? ownStart(cameras, edit, aspect);
  const upright = toUpright(edit?.up ?? null);
  return {
    ...defaultSettings("object"),
    background: { color: BACKGROUND },
    animTracks: [],
    cameras: [{ initial: start }],
    annotations: (cameras?.cameras ?? []).map((camera) => ({
      position: rotate(upright, cameras?.target ?? [0, 0, 0]),
      title: camera.name,
      text: "",
      camera: { initial: pose(camera, cameras?.target ?? [0, 0, 0], aspect, upright) },
    })),
    startMode: "default",
  };
}

/** The views of all photos, and the start view that somebody chose. */
function seenFrom(cameras: CamerasFile | null, edit: Edit | null, aspect: number): Pose[] {
  if (cameras === null) return [];
  const upright = toUpright(edit?.up ?? null);
  const chosen = edit?.start ? [ownStart(cameras, edit, aspect)] : [];
  return [...cameras.cameras.map((camera) => pose(camera, cameras.target, aspect, upright)), ...chosen];
}

const ownStart = (cameras: CamerasFile | null, edit: Edit | null, aspect: number): Pose => startPose(cameras, aspect, edit) ?? UNPOSED;

function applyTurn({ app }: ViewerHandle, [x, y, z, w]: Turn): void {
  app.root.findComponent("gsplat")?.entity.setLocalRotation(x, y, z, w);
  app.renderNextFrame = true;
}

/** Before the first frame that has the scene. */
function onceLoaded({ app }: ViewerHandle, act: () => void): void {
  const tick = (): void => {
    if (app.root.findComponent("gsplat") === null) return;
    app.off("update", tick);
    act();
  };
  app.on("update", tick);
}

function cameraAxes({ app }: ViewerHandle): { right: Vec3; forward: Vec3 } | null {
  const entity = app.root.findComponent("camera")?.entity;
  if (!entity) return null;
  const { right, forward } = entity;
  return { right: [right.x, right.y, right.z], forward: [forward.x, forward.y, forward.z] };
}

/** The drawing is gone after its frame, so it is copied at the frame's end. */
function nextFrame({ app }: ViewerHandle): Promise<HTMLCanvasElement | null> {
  return new Promise((resolve) => {
    app.once("frameend", () => {
      const drawn = app.graphicsDevice.canvas as HTMLCanvasElement;
      const copy = document.createElement("canvas");
      copy.width = drawn.width;
      copy.height = drawn.height;
      const context = copy.getContext("2d");
      context?.drawImage(drawn, 0, 0);
      resolve(context === null ? null : copy);
    });
    app.renderNextFrame = true;
  });
}

/** The camera as it is now. Its target keeps the depth of the target of `before`. */
function viewNow({ app }: ViewerHandle, before: Pose): Pose | null {
  const entity = app.root.findComponent("camera")?.entity;
  if (!entity) return null;
  const { x, y, z } = entity.getPosition();
  const { forward } = entity;
  const [tx, ty, tz] = before.target;
  const depth = Math.max((tx - x) * forward.x + (ty - y) * forward.y + (tz - z) * forward.z, 0.1);
  return { position: [x, y, z], target: [x + forward.x * depth, y + forward.y * depth, z + forward.z * depth], fov: before.fov };
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
