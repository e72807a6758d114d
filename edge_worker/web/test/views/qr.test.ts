// A decoder reads the QR drawing back, as a phone would.
import jsQR from "jsqr";
import { describe, expect, it } from "vitest";

import { QUIET, qrDrawing } from "../../src/views/links/qr.ts";

const MODULE_PX = 6;

/** Draws the path's unit squares, black on white. Returns RGBA. */
function paint({ size, path }: { size: number; path: string }): { rgba: Uint8ClampedArray; side: number } {
  const side = size * MODULE_PX;
  const rgba = new Uint8ClampedArray(side * side * 4).fill(255);
  for (const [, left, top] of path.matchAll(/M(\d+) (\d+)h1v1h-1z/g)) {
    for (let y = 0; y < MODULE_PX; y += 1) {
      for (let x = 0; x < MODULE_PX; x += 1) {
        const at = ((Number(top) * MODULE_PX + y) * side + Number(left) * MODULE_PX + x) * 4;
        rgba.fill(0, at, at + 3);
      }
    }
  }
  return { rgba, side };
}

describe("the drawing", () => {
  it.each(["https://splat.example.workers.dev/login/8788Ae172Hi3Uy18qP5D4DAGNryg5FgJGToHyNYZbXXtDHM", "http://127.0.0.1:8788/login/x"])("reads as %s", (url) => {
    const { rgba, side } = paint(qrDrawing(url));
    expect(jsQR(rgba, side, side)?.data).toBe(url);
  });

  it("keeps the quiet zone clear", () => {
    const { size, path } = qrDrawing("https://example.com");
    for (const [, x, y] of path.matchAll(/M(\d+) (\d+)/g)) {
      expect(Math.min(Number(x), Number(y))).toBeGreaterThanOrEqual(QUIET);
      expect(Math.max(Number(x), Number(y))).toBeLessThan(size - QUIET);
    }
  });
});
