// The size of the cameras in the plan from above.
import { expect, test } from "vitest";

import { sizeOf } from "../../src/views/common/ring.tsx";

const RADIUS = 84;
const circle = (count: number) => Array.from({ length: count }, (_, i) => ({ x: RADIUS * Math.cos((2 * Math.PI * i) / count), y: RADIUS * Math.sin((2 * Math.PI * i) / count) }));
const lanes = (side: number) => Array.from({ length: side * side }, (_, i) => ({ x: ((i % side) * 2 * RADIUS) / (side - 1), y: (Math.floor(i / side) * 2 * RADIUS) / (side - 1) }));

test.each([
  ["no camera", [], 1],
  ["one camera", [{ x: 3, y: 4 }], 1],
  ["24 around the subject", circle(24), 1],
  ["50 around the subject", circle(50), 0.528],
  ["289 in the lanes of a flight", lanes(17), 0.525],
  ["300 around the subject, which cannot stay apart", circle(300), 0.35],
  ["all in one place", [{ x: 0, y: 0 }, { x: 0, y: 0 }], 0.35],
])("%s", (_, places, size) => {
  expect(sizeOf(places)).toBeCloseTo(size, 2);
});
