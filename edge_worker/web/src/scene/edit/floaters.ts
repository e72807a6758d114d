// Floaters of a scene, for the preview: small groups of Gaussians that hang apart from everything else.
// Pure, from the middles alone. The worker applies the same arithmetic (splat_worker/edit/floaters.py): change both.
import type { Floaters } from "../../../../shared/contracts/edit.ts";

const CELLS_MIN = 32;
const CELLS_MAX = 80;
const SHARE_MAX = 0.02;
const EXTENT = 2;

export const cellsPerSide = (strength: number): number => Math.round(CELLS_MIN + (CELLS_MAX - CELLS_MIN) * Math.min(1, strength));

/** The number of a point's cell, x fastest. Beyond the subject's radius cells grow with the distance. */
export function cellOf(x: number, y: number, z: number, side: number): number {
  const r = Math.max(1e-12, Math.hypot(x, y, z));
  const k = r <= 1 ? 1 : (2 - 1 / r) / r;
  const at = (v: number): number => Math.min(side - 1, Math.max(0, Math.floor((v * k + EXTENT) * (side / (2 * EXTENT)))));
  return at(x) + side * (at(y) + side * at(z));
}

/** For each cell 1 if what lies in it is removed, else 0; side³ of them. centers: x, y, z of each Gaussian in the file's axes. */
export function removedCells(centers: Float32Array, { strength, reach }: Floaters): Uint8Array {
  const side = cellsPerSide(strength);
  const count = centers.length / 3;
  const counts = new Uint32Array(side ** 3);
  const far = new Uint8Array(side ** 3);
  for (let i = 0; i < centers.length; i += 3) {
    const [x, y, z] = [centers[i] ?? 0, centers[i + 1] ?? 0, centers[i + 2] ?? 0];
    const cell = cellOf(x, y, z, side);
    counts[cell] = (counts[cell] ?? 0) + 1;
    if (Math.hypot(x, y, z) > reach) far[cell] = 1;
  }
  const removed = new Uint8Array(side ** 3);
  const groups = groupsOf(counts, side).map((cells) => ({ cells, size: cells.reduce((sum, cell) => sum + (counts[cell] ?? 0), 0) }));
  const largest = groups.reduce((a, b) => (b.size > a.size ? b : a), groups[0] ?? { cells: [], size: 0 });
  for (const group of groups) {
    const isBackground = group.cells.some((cell) => far[cell] === 1);
    if (group.size < SHARE_MAX * strength * strength * count && group !== largest && !isBackground) for (const cell of group.cells) removed[cell] = 1;
  }
  return removed;
}

/** Cells with something in them that touch, also by a corner. */
function groupsOf(counts: Uint32Array, side: number): number[][] {
  const seen = new Uint8Array(counts.length);
  const groups: number[][] = [];
  for (let first = 0; first < counts.length; first += 1) {
    if (counts[first] === 0 || seen[first] === 1) continue;
    const cells = [first];
    seen[first] = 1;
    for (const cell of cells) {
      for (const next of around(cell, side)) {
        if (counts[next] === 0 || seen[next] === 1) continue;
        seen[next] = 1;
        cells.push(next);
      }
    }
    groups.push(cells);
  }
  return groups;
}

function* around(cell: number, side: number): Generator<number> {
  const [x, y, z] = [cell % side, Math.floor(cell / side) % side, Math.floor(cell / (side * side))];
  for (let dz = Math.max(0, z - 1); dz <= Math.min(side - 1, z + 1); dz += 1) {
    for (let dy = Math.max(0, y - 1); dy <= Math.min(side - 1, y + 1); dy += 1) {
      for (let dx = Math.max(0, x - 1); dx <= Math.min(side - 1, x + 1); dx += 1) yield dx + side * (dy + side * dz);
    }
  }
}
