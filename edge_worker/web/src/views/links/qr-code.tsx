// A link as a QR code, for the camera of another device.
// Never loads the encoder before somebody asks to see one.
import { useEffect, useState } from "preact/hooks";

import type { QrDrawing } from "./qr.ts";

export function QrCode({ text }: { text: string | null }) {
  const [drawing, setDrawing] = useState<QrDrawing | null>(null);
  useEffect(() => {
    if (text === null) return;
    let stopped = false;
    import("./qr.ts").then(
      ({ qrDrawing }) => stopped || setDrawing(qrDrawing(text)),
      // The link stands beside it and works without.
      (error: unknown) => console.warn("QR code:", error),
    );
    return () => {
      stopped = true;
    };
  }, [text]);
  if (!drawing) return <div class="qr" />;
  return (
    <svg class="qr" viewBox={`0 0 ${drawing.size} ${drawing.size}`} role="img" aria-label="The link as a QR code" shape-rendering="crispEdges">
      <rect width={drawing.size} height={drawing.size} fill="#fff" />
      <path d={drawing.path} fill="#000" />
    </svg>
  );
}
