// The plan from above: a subject and the cameras around it.
// Schematic before the upload, with one camera per chosen photo; the real positions in a finished scene.
import type { PlanCamera } from "../../scene/cameras.ts";
import type { PhotoNames } from "../../scene/photo-names.ts";

import "./ring.css";

const VIEW = 220;
const RADIUS = 84;

/** The length of a camera that is drawn at scale 1, and the smallest scale at which it can be recognised. */
const ROOM = 20;
const SIZE_MIN = 0.35;
/** The chosen camera is never drawn smaller, so that it is found among hundreds. */
const CHOSEN_MIN = 0.8;

/** A camera seen from above, body and field of view, facing +x. */
const BODY = "M-7 -4.2h9.5v8.4h-9.5z";
const CONE = "M3.2 0L12.5 -6.4V6.4Z";

interface Glyph {
  x: number;
  y: number;
  angleDeg: number;
  lit: boolean;
  name?: string;
  words?: string;
  heldOut?: boolean;
}

/** `count` cameras on a circle, facing inwards, with `lit` of them filled. */
export function Ring({ count, lit, label }: { count: number; lit: number; label?: string }) {
  const glyphs = Array.from({ length: count }, (_, i): Glyph => {
    const turn = (i / count) * 2 * Math.PI - Math.PI / 2;
    return { x: RADIUS * Math.cos(turn), y: RADIUS * Math.sin(turn), angleDeg: (turn * 180) / Math.PI + 180, lit: i < lit };
  });
  return <Drawing glyphs={glyphs} label={label} />;
}

/** The cameras that a running job has found, as its progress has them (docs/contracts.md). */
export function FoundCameras({ cameras, label }: { cameras: readonly (readonly [number, number, number, number])[]; label: string }) {
  const glyphs = cameras.map(([x, y, lookX, lookY]): Glyph => ({ x: (x / 100) * RADIUS, y: (y / 100) * RADIUS, angleDeg: (Math.atan2(lookY, lookX) * 180) / Math.PI, lit: true }));
  return <Drawing glyphs={glyphs} label={label} />;
}

interface CameraPlanProps {
  cameras: readonly PlanCamera[];
  selected: string | null;
  names: PhotoNames;
  onSelect: (name: string) => void;
}

/** The real camera positions. Each one is a button that moves the viewer there. */
export function CameraPlan({ cameras, selected, names, onSelect }: CameraPlanProps) {
  const glyphs = cameras.map(({ name, x, y, lookX, lookY, heldOut }): Glyph => ({
    name,
    words: `View from ${names(name)}`,
    x: x * RADIUS,
    y: y * RADIUS,
    angleDeg: (Math.atan2(lookY, lookX) * 180) / Math.PI,
    lit: name === selected,
    heldOut,
  }));
  return <Drawing glyphs={glyphs} onSelect={onSelect} label="Cameras, seen from above" />;
}

interface DrawingProps {
  glyphs: readonly Glyph[];
  label?: string | undefined;
  onSelect?: (name: string) => void;
}

function Drawing({ glyphs, label, onSelect }: DrawingProps) {
  const half = VIEW / 2;
  const size = sizeOf(glyphs);
  const chosen = Math.max(0, glyphs.findIndex(({ lit }) => lit));
  return (
    <svg
      class="ring"
      viewBox={`${-half} ${-half} ${VIEW} ${VIEW}`}
      role={onSelect ? "group" : label ? "img" : undefined}
      aria-label={label}
      aria-hidden={label ? undefined : true}
      {...(onSelect && { onClick: (event: MouseEvent) => pressNearest(event, glyphs, onSelect) })}
    >
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
          transform={`translate(${glyph.x.toFixed(2)} ${glyph.y.toFixed(2)}) rotate(${glyph.angleDeg.toFixed(1)}) scale(${onSelect && glyph.lit ? Math.max(size, CHOSEN_MIN) : size})`}
          {...(onSelect && glyph.name !== undefined && button(glyph.name, glyph.words, glyph.lit, i === chosen, onSelect))}
        >
          {onSelect ? <circle class="halo" r="11" /> : null}
          <path class="cone" d={CONE} />
          <path class="body" d={BODY} />
        </g>
      ))}
    </svg>
  );
}

/** The scale at which half of the cameras stay apart from the nearest one, within bounds. */
export function sizeOf(places: readonly { x: number; y: number }[]): number {
  if (places.length < 2) return 1;
  const nearest = places.map((one) => Math.min(...places.map((other) => (other === one ? Infinity : Math.hypot(one.x - other.x, one.y - other.y)))));
  const median = nearest.toSorted((a, b) => a - b)[nearest.length >> 1] ?? ROOM;
  return Math.min(1, Math.max(SIZE_MIN, median / ROOM));
}

/** Cameras overlap in the plan, and fingers are wide: a press selects the nearest one. */
function pressNearest(event: MouseEvent, glyphs: readonly Glyph[], onSelect: (name: string) => void): void {
  const svg = event.currentTarget as SVGSVGElement;
  const toPlan = svg.getScreenCTM()?.inverse();
  if (!toPlan) return;
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(toPlan);
  const distance = ({ x, y }: Glyph): number => Math.hypot(x - at.x, y - at.y);
  const [nearest] = glyphs.toSorted((a, b) => distance(a) - distance(b));
  if (nearest?.name !== undefined) onSelect(nearest.name);
}

/** The plan is one stop of the Tab key. The arrow keys move from camera to camera. */
function button(name: string, words: string | undefined, pressed: boolean, stop: boolean, onSelect: (name: string) => void) {
  return {
    role: "button" as const,
    // Lower case, because attributes of SVG elements are case-sensitive.
    tabindex: stop ? 0 : -1,
    "aria-label": words,
    "aria-pressed": pressed,
    onKeyDown: (event: KeyboardEvent) => {
      const here = event.currentTarget as SVGGElement;
      const all = [...(here.parentElement?.querySelectorAll<SVGGElement>("[role=button]") ?? [])];
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Enter" || event.key === " ") onSelect(name);
      else if (step !== undefined) all.at((all.indexOf(here) + step) % all.length)?.focus();
      else return;
      event.preventDefault();
    },
  };
}
