// Draws a link as a QR code.
// Pure. Loaded only when a code is shown.
import { encode } from "uqr";

/** White modules around the code, as readers require (ISO/IEC 18004: four). */
export const QUIET = 4;

export interface QrDrawing {
  /** Side of the whole drawing in modules, including the quiet zone. */
  size: number;
  /** SVG path of the dark modules. */
  path: string;
}

export function qrDrawing(text: string): QrDrawing {
  const { data } = encode(text, { ecc: "M", border: 0 });
  const path = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : ""))).join("");
  return { size: data.length + 2 * QUIET, path };
}
