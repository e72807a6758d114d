// The plan from above that goes through the whole page: a subject and the cameras around it.
// Pure drawing: an idea of it before the photos, one tick per chosen photo, the real positions at the end.
import type { PlanCamera } from "../cameras.ts";

const VIEW = 220;
const RADIUS = 84;

/** Small camera seen from above: body and field of view, looking along +x. */
const BODY = "M-7 -4.2h9.5v8.4h-9.5z";
const CONE = "M3.2 0L12.5 -6.4V6.4Z";

interface Glyph {
  x: number;
  y: number;
  angleDeg: number;
  lit: boolean;
  name?: string;
  heldOut?: boolean;
}

/** `count` cameras on a circle, looking inwards; `lit` of them filled. */
export function Ring({ count, lit, label }: { count: number; lit: number; label?: string }) {
  const glyphs = Array.from({ length: count }, (_, i): Glyph => {
    const turn = (i / count) * 2 * Math.PI - Math.PI / 2;
    return { x: RADIUS * Math.cos(turn), y: RADIUS * Math.sin(turn), angleDeg: (turn * 180) / Math.PI + 180, lit: i < lit };
  });
  return <Drawing glyphs={glyphs} label={label} />;
}

interface CameraPlanProps {
  cameras: readonly PlanCamera[];
  selected: string | null;
  onSelect: (name: string) => void;
}

/** Where the photos were really taken from; each one is a button that takes the viewer there. */
export function CameraPlan({ cameras, selected, onSelect }: CameraPlanProps) {
  const glyphs = cameras.map(({ name, x, y, lookX, lookY, heldOut }): Glyph => ({
    name,
    x: x * RADIUS,
    y: y * RADIUS,
    angleDeg: (Math.atan2(lookY, lookX) * 180) / Math.PI,
    lit: name === selected,
    heldOut,
  }));
  return <Drawing glyphs={glyphs} onSelect={onSelect} label="The cameras from above" />;
}

function Drawing({ glyphs, label, onSelect }: { glyphs: readonly Glyph[]; label?: string | undefined; onSelect?: (name: string) => void }) {
  const half = VIEW / 2;
  const size = glyphs.length > 48 ? 0.62 : glyphs.length > 30 ? 0.8 : 1;
  return (
    <svg class="ring" viewBox={`${-half} ${-half} ${VIEW} ${VIEW}`} role={onSelect ? "group" : label ? "img" : undefined} aria-label={label} aria-hidden={label ? undefined : true}>
      <g class="subject">
        <circle r="21" />
        <path d="M0 0V-15.5A15.5 15.5 0 0 1 15.5 0ZM0 0V15.5A15.5 15.5 0 0 1 -15.5 0Z" />
        <path class="cross" d="M0 -30V-21M0 21V30M-30 0H-21M21 0H30" />
      </g>
      {onSelect ? null : <circle class="orbit" r={RADIUS} />}
      {glyphs.map((glyph, i) => (
        <g
          key={glyph.name ?? i}
          class={["camera", glyph.lit && "lit", glyph.heldOut && "held-out"].filter(Boolean).join(" ")}
          transform={`translate(${glyph.x.toFixed(2)} ${glyph.y.toFixed(2)}) rotate(${glyph.angleDeg.toFixed(1)}) scale(${size})`}
          {...(onSelect && glyph.name !== undefined && press(glyph.name, glyph.lit, onSelect))}
        >
          {onSelect ? <circle class="touch" r="11" /> : null}
          <path class="cone" d={CONE} />
          <path class="body" d={BODY} />
        </g>
      ))}
    </svg>
  );
}

function press(name: string, pressed: boolean, onSelect: (name: string) => void) {
  return {
    role: "button" as const,
    tabIndex: 0,
    "aria-label": `See it from ${name}`,
    "aria-pressed": pressed,
    onClick: () => onSelect(name),
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      onSelect(name);
    },
  };
}
