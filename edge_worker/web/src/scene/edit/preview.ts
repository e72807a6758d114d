// Shows an edit in the engine before any file is changed: hides Gaussians on the graphics card.
// Rests on the engine's public GSplatComponent.setWorkBufferModifier and setParameter.
import { ADDRESS_CLAMP_TO_EDGE, FILTER_NEAREST, PIXELFORMAT_R8, Texture, type AppBase, type GSplatComponent } from "playcanvas";

import type { Crop, Edit, Floaters } from "../../../../shared/contracts/edit.ts";
import type { Turn } from "../turn.ts";
import { cellsPerSide, removedCells } from "./floaters.ts";
import { CELLS_PER_ROW, cellFrame, cropValues, programOf } from "./hidden.ts";

/** What is hidden. draft: a crop in the making, whose outside stays faintly visible. */
export type Hidden = Pick<Edit, "crops" | "floaters"> & { readonly draft?: Crop | undefined };

export class Preview {
  readonly #app: AppBase;
  #program = "";
  #cells: { readonly of: string; readonly texture: Texture } | null = null;

  constructor(app: AppBase) {
    this.#app = app;
  }

  /** upright: the turn with which the engine shows the scene. */
  show({ crops, floaters, draft }: Hidden, upright: Turn): void {
    const component = this.#app.root.findComponent("gsplat") as GSplatComponent | null;
    if (component === null) return;
    const all = draft === undefined ? crops : [...crops, draft];
    const cells = floaters === null ? null : this.#cellsOf(component, floaters);
    for (const [i, crop] of all.entries()) {
      const { frame, size, edge } = cropValues(crop, upright);
      component.setParameter(`uCropFrame${i}`, new Float32Array(frame));
      component.setParameter(`uCropSize${i}`, size);
      component.setParameter(`uCropEdge${i}`, edge);
    }
    if (cells !== null && floaters !== null) {
      component.setParameter("uCellFrame", new Float32Array(cellFrame(upright)));
      component.setParameter("uCellSize", [cellsPerSide(floaters.strength), 0, 0, 0]);
      component.setParameter("uCells", cells);
    }
    const program = JSON.stringify([all.length, draft !== undefined, cells !== null]);
    if (program !== this.#program) {
      this.#program = program;
      component.setWorkBufferModifier(all.length === 0 && cells === null ? null : programOf(all.length, draft !== undefined, cells !== null));
    }
    this.#app.renderNextFrame = true;
  }

  /** Null if the engine keeps no middles: the preview then shows the floaters, and only the files lose them. */
  #cellsOf(component: GSplatComponent, floaters: Floaters): Texture | null {
    const of = JSON.stringify(floaters);
    if (this.#cells?.of === of) return this.#cells.texture;
    const centers = component.resource?.centers as Float32Array | null | undefined;
    if (!centers) return null;
    const removed = removedCells(centers, floaters);
    const height = Math.ceil(removed.length / CELLS_PER_ROW);
    const texels = new Uint8Array(CELLS_PER_ROW * height);
    removed.forEach((is, i) => (texels[i] = is * 255));
    const old = this.#cells?.texture;
    const texture = new Texture(this.#app.graphicsDevice, {
      name: "floaters",
      width: CELLS_PER_ROW,
      height,
      format: PIXELFORMAT_R8,
      mipmaps: false,
      minFilter: FILTER_NEAREST,
      magFilter: FILTER_NEAREST,
      addressU: ADDRESS_CLAMP_TO_EDGE,
      addressV: ADDRESS_CLAMP_TO_EDGE,
      levels: [texels],
    });
    this.#cells = { of, texture };
    old?.destroy();
    return texture;
  }
}
