// A link as a QR code, for the camera of another device.
// Never loads the encoder before a code is shown.
import { useLoad } from "../../api/use-load.ts";
import { lazily } from "../../lib/lazy.ts";
import { LINKS } from "../../texts/sharing.ts";

export function QrCode({ text }: { text: string | null }) {
  // If the encoder cannot be loaded, the link beside the code still works.
  const { value: drawing } = useLoad(async () => (text === null ? null : (await lazily(() => import("./qr.ts"))).qrDrawing(text)), [text]);
  if (!drawing) return <div class="qr" />;
  return (
    <svg class="qr" viewBox={`0 0 ${drawing.size} ${drawing.size}`} role="img" aria-label={LINKS.qr} shape-rendering="crispEdges">
      <rect width={drawing.size} height={drawing.size} fill="#fff" />
      <path d={drawing.path} fill="#000" />
    </svg>
  );
}
