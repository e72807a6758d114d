// One camera for two scenes: the second is drawn from where the first is seen.
import type { ViewerHandle } from "@playcanvas/supersplat-viewer/viewer";

/** Place and direction in the axes of the shown scene, and the lens. */
export interface Camera {
  readonly position: readonly [number, number, number];
  readonly rotation: readonly [number, number, number, number];
  readonly fov: number;
}

export function cameraNow({ app }: ViewerHandle): Camera | null {
  const found = app.root.findComponent("camera") as { entity: Entity; fov: number } | null;
  if (found === null) return null;
  const { x, y, z } = found.entity.getPosition();
  const turn = found.entity.getRotation();
  return { position: [x, y, z], rotation: [turn.x, turn.y, turn.z, turn.w], fov: found.fov };
}

interface Entity {
  getPosition(): { x: number; y: number; z: number };
  getRotation(): { x: number; y: number; z: number; w: number };
  setPosition(x: number, y: number, z: number): void;
  setRotation(x: number, y: number, z: number, w: number): void;
}

/** The engine moves its own camera before each frame; the last word before it draws is the leader's. */
export function follow({ app }: ViewerHandle, leader: () => Camera | null): void {
  let drawn = "";
  app.on("update", () => {
    const now = leader();
    // It draws only when something has changed.
    if (now !== null && JSON.stringify(now) !== drawn) app.renderNextFrame = true;
  });
  app.on("prerender", () => {
    const found = app.root.findComponent("camera") as { entity: Entity; fov: number } | null;
    const now = leader();
    if (found === null || now === null) return;
    found.entity.setPosition(...now.position);
    found.entity.setRotation(...now.rotation);
    found.fov = now.fov;
    drawn = JSON.stringify(now);
  });
}
