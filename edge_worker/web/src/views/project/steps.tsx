// The head of a project until its scene is there: name, heading, and the five steps as a line.
// Pure drawing.
import type { ComponentChildren } from "preact";

import type { Project } from "../../../../shared/contracts/project.ts";
import { steps, type Step } from "../../scene/progress.ts";

import "./steps.css";

const SAID: Record<Step["state"], string> = { done: "done", now: "going on", ahead: "to come", stopped: "stopped here" };

interface HeadProps {
  project: Project;
  heading: ComponentChildren;
  /** Of the photos on their way, while they are. */
  uploadFraction?: number | null;
}

export function Head({ project, heading, uploadFraction = null }: HeadProps) {
  return (
    <>
      <p class="over-title">{project.name}</p>
      <h1>{heading}</h1>
      <Steps line={steps(project, uploadFraction)} />
    </>
  );
}

function Steps({ line }: { line: readonly Step[] }) {
  return (
    <ol class="steps">
      {line.map(({ label, state, fraction }) => (
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
