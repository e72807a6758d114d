// The head of a project page until the scene is done: name, heading, and the six steps.
import type { ComponentChildren } from "preact";

import type { Project } from "../../../../shared/contracts/project.ts";
import { steps, type Step } from "../../scene/progress.ts";

import "./steps.css";

const STATE_WORDS: Record<Step["state"], string> = { done: "done", now: "in progress", ahead: "not started", stopped: "stopped here" };

interface HeadProps {
  project: Project;
  heading: ComponentChildren;
  /** 0 to 1, during the upload. */
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
            <span class="unseen">, {STATE_WORDS[state]}</span>
          </span>
        </li>
      ))}
    </ol>
  );
}
