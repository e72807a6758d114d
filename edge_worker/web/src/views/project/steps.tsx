// The five steps as a line.
// Pure drawing.
import type { Step } from "../../stages.ts";

const SAID: Record<Step["state"], string> = { done: "done", now: "going on", ahead: "to come", stopped: "stopped here" };

export function Steps({ steps }: { steps: readonly Step[] }) {
  return (
    <ol class="steps">
      {steps.map(({ label, state, fraction }) => (
        <li key={label} class={state} aria-current={state === "now" ? "step" : undefined}>
          <span class="track">
            <span class={state === "now" && fraction === null ? "fill unknown" : "fill"} style={{ transform: `scaleX(${state === "done" ? 1 : state === "now" ? (fraction ?? 1) : 0})` }} />
          </span>
          <span class="step-label">
            {label}
            {state === "now" && fraction !== null ? <span class="percent">{Math.floor(fraction * 100)} %</span> : null}
            <span class="unseen">, {SAID[state]}</span>
          </span>
        </li>
      ))}
    </ol>
  );
}
