// Two versions of a scene in one picture, by one camera, with a border to move between them.
// Never changes which version is shown.
import { useEffect, useRef, useState } from "preact/hooks";

import type { Edit } from "../../../../shared/contracts/edit.ts";
import type { Project } from "../../../../shared/contracts/project.ts";
import { useLoad } from "../../api/use-load.ts";
import { parseCameras, type CamerasFile } from "../../scene/cameras.ts";
import type { OpenScene } from "../../scene/viewer.ts";
import { STAGE } from "../../texts/stage.ts";
import { VERSIONS } from "../../texts/scene.ts";
import { Failure } from "../common/parts.tsx";
import { useScene } from "./use-scene.ts";
import { numberOf } from "./version-number.ts";

import "./stage.css";
import "./compare.css";

interface Props {
  project: Project;
  /** The attempt beside the shown one. */
  other: number;
  onClose: () => void;
}

interface Side {
  readonly attempt: number;
  readonly edit: Edit | null;
}

export function Compare({ project, other, onClose }: Props) {
  const shown: Side = { attempt: project.shown ?? other, edit: project.edit };
  const beside: Side = { attempt: other, edit: null };
  // The older one is on the left.
  const [left, right] = shown.attempt < beside.attempt ? [shown, beside] : [beside, shown];
  const { results } = project;
  const { value, error } = useLoad(() => Promise.all([camerasOf(results, left.attempt), camerasOf(results, right.attempt)]), [left.attempt, right.attempt]);
  if (error) return <Failure error={error} />;
  return value === null ? <div class="stage" /> : <Halves project={project} left={left} right={right} cameras={value} onClose={onClose} />;
}

interface HalvesProps extends Pick<Props, "project" | "onClose"> {
  left: Side;
  right: Side;
  cameras: readonly [CamerasFile | null, CamerasFile | null];
}

function Halves({ project, left, right, cameras, onClose }: HalvesProps) {
  const [split, setSplit] = useState(50);
  const leader = useRef<OpenScene | null>(null);
  const follower = useRef<OpenScene | null>(null);
  const leftFrame = useRef<HTMLDivElement>(null);
  const rightFrame = useRef<HTMLDivElement>(null);
  const leads = useHalf(project, left, cameras[0], leftFrame, leader);
  const follows = useHalf(project, right, cameras[1], rightFrame, follower);
  const ready = leads && follows;
  useEffect(() => {
    if (ready) follower.current?.follow(() => leader.current?.camera() ?? null);
  }, [ready]);
  const words = VERSIONS.comparing(numberOf(project, left.attempt), numberOf(project, right.attempt));
  return (
    <section class="stack tight" aria-label={words}>
      <header class="scene-head">
        <h1>{project.name}</h1>
      </header>
      <div class={ready ? "stage compare shown" : "stage compare"}>
        <div ref={leftFrame} class="stage-frame" role="application" aria-label={words} tabIndex={0} onFocusIn={() => leader.current?.listen(true)} onFocusOut={() => leader.current?.listen(false)} onPointerDown={() => leftFrame.current?.focus({ preventScroll: true })} />
        <div ref={rightFrame} class="stage-frame over" aria-hidden="true" style={{ clipPath: `inset(0 0 0 ${split}%)` }} />
        <span class="border" aria-hidden="true" style={{ left: `${split}%` }} />
        {ready ? null : (
          <p class="stage-note loading" role="status">
            {STAGE.loading}
          </p>
        )}
        <p class="side left" aria-hidden="true">{VERSIONS.name(numberOf(project, left.attempt))}</p>
        <p class="side right" aria-hidden="true">{VERSIONS.name(numberOf(project, right.attempt))}</p>
      </div>
      <label class="border-slider">
        <span class="unseen">{VERSIONS.border}</span>
        <input type="range" min={0} max={100} value={split} aria-valuetext={VERSIONS.borderAt(split)} onInput={({ currentTarget }) => setSplit(Number(currentTarget.value))} />
      </label>
      <div class="row between">
        <p class="small">{VERSIONS.compareLead}</p>
        <button class="button quiet" type="button" onClick={onClose}>
          {VERSIONS.endCompare}
        </button>
      </div>
    </section>
  );
}

/** Opens one version in its element; whether it is on the screen. */
function useHalf({ results }: Project, { attempt, edit }: Side, cameras: CamerasFile | null, frame: { readonly current: HTMLDivElement | null }, handle: { current: OpenScene | null }): boolean {
  const files = filesOf(results, attempt);
  const fileName = files["scene.sog"] ? "scene.sog" : "scene.ply";
  const { showing } = useScene({ frame, url: files[fileName]?.url ?? "", fileName, cameras, edit, handle });
  return showing.is === "shown";
}

const filesOf = (results: Project["results"], attempt: number): Project["artifacts"] => results.find((one) => one.attempt === attempt)?.artifacts ?? {};

async function camerasOf(results: Project["results"], attempt: number): Promise<CamerasFile | null> {
  const file = filesOf(results, attempt)["cameras.json"];
  return file === undefined ? null : parseCameras(await (await fetch(file.url, { credentials: "same-origin" })).json());
}
