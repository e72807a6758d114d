// Title, viewer and camera plan of a scene, for its owner and behind share links.
// Never offers a change.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import type { Project, SharedProject } from "../../../../shared/contracts/project.ts";
import type { Source } from "../../api/api.ts";
import { useLoad } from "../../api/use-load.ts";
import { day, plural } from "../../lib/format.ts";
import { parseCameras, plan, type CamerasFile } from "../../scene/cameras.ts";
import type { PhotoNames } from "../../scene/photo-names.ts";
import { Failure } from "../common/parts.tsx";
import { PRESET_WORDS } from "../common/presets.ts";
import { CameraPlan } from "../common/ring.tsx";
import { Stage } from "./stage.tsx";

import "./scene.css";

/** A scene for its owner, or the part of it that a share link shows. */
type Shown = SharedProject & Partial<Project>;

interface SceneViewProps {
  project: Shown;
  source: Source;
  names: PhotoNames;
  beside?: ComponentChildren;
}

export function SceneView({ project, source, names, beside }: SceneViewProps) {
  const cameras = useCameras(project, source);
  const [view, setView] = useState<string | null>(null);
  const version = project.attempt;
  const poster = project.artifacts["poster.webp"] ? source.artifact("poster.webp", version) : null;
  const drawn = ["scene.sog", "scene.ply"].find((name) => project.artifacts[name]);
  return (
    <>
      <header class="scene-head">
        <h1>{project.name}</h1>
        <p class="meta fine">
          {project.report ? <span>{plural(project.report.photos.registered, "photo")}</span> : null}
          {project.preset ? <span>{PRESET_WORDS[project.preset].label} quality</span> : null}
          <span>{day(project.created_at)}</span>
        </p>
      </header>
      <div class="show">
        {drawn && cameras !== "loading" ? (
          <Stage url={source.artifact(drawn, version)} fileName={drawn} poster={poster} cameras={cameras} label={project.name} view={view} />
        ) : (
          <div class="stage">{poster ? <img class="poster" src={poster} alt={project.name} /> : null}</div>
        )}
        <div class="stack beside">
          {cameras !== "loading" && cameras !== null ? (
            <figure class="stack tight plan">
              <CameraPlan cameras={plan(cameras)} selected={view} names={names} onSelect={setView} />
              <figcaption class="fine">{view === null ? "The cameras, seen from above. Select one to see the scene from there." : `View from ${names(view)}`}</figcaption>
            </figure>
          ) : null}
          {beside}
        </div>
      </div>
      {drawn ? null : <Failure error={{ message: "The scene's file is missing.", hint: "Make the scene again, or contact whoever runs this service." }} />}
    </>
  );
}

/** The cameras, or null if the file is missing or unreadable. */
function useCameras(project: Shown, source: Source): CamerasFile | null | "loading" {
  const url = project.artifacts["cameras.json"] ? source.artifact("cameras.json", project.attempt) : null;
  const { value, error } = useLoad(async () => (url === null ? null : parseCameras(await (await fetch(url, { credentials: "same-origin" })).json())), [url]);
  return value ?? (url === null || error ? null : "loading");
}
