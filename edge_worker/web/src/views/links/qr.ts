// A link as a QR drawing for another device's camera.
// Pure; loaded only when somebody asks for it.
import { encode } from "uqr";

/** Modules of white around the code that readers ask for (ISO/IEC 18004: four). */
export const QUIET = 4;

export interface QrDrawing {
  /** Side of the whole drawing in modules, quiet zone included. */
  size: number;
  /** SVG path of the dark modules. */
  path: string;
}

export function qrDrawing(text: string): QrDrawing {
  const { data } = encode(text, { ecc: "M", border: 0 });
  const path = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : ""))).join("");
  return { size: data.length + 2 * QUIET, path };
}
