// Title, viewer and camera plan of a scene, for its owner and behind share links.
// Never offers a change.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import type { Project, SharedProject } from "../../../../shared/contracts/project.ts";
import { PRESETS } from "../../../../shared/stages.ts";
import type { Source } from "../../api/api.ts";
import { useLoad } from "../../api/use-load.ts";
import { day, plural } from "../../lib/format.ts";
import { parseCameras, plan, type CamerasFile } from "../../scene/cameras.ts";
import type { PhotoNames } from "../../scene/photo-names.ts";
import type { OpenScene } from "../../scene/viewer.ts";
import { SCENE } from "../../texts/scene.ts";
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
  handle?: { current: OpenScene | null };
}

/** The file that the viewer shows, or undefined if the project has none. */
const drawnFile = (project: Shown): string | undefined => ["scene.sog", "scene.ply"].find((name) => project.artifacts[name]);

interface DrawnProps {
  project: Shown;
  source: Source;
  cameras: CamerasFile | null | "loading";
  view?: string | null;
  handle?: { current: OpenScene | null } | undefined;
}

function Drawn({ project, source, cameras, view = null, handle }: DrawnProps) {
  const poster = project.cover?.url ?? null;
  const drawn = drawnFile(project);
  if (!drawn || cameras === "loading") return <div class="stage">{poster ? <img class="poster" src={poster} alt={project.name} /> : null}</div>;
  return <Stage url={source.artifact(drawn, project.shown)} fileName={drawn} poster={poster} cameras={cameras} edit={project.edit ?? null} handle={handle} label={project.name} view={view} />;
}

/** The stage alone. */
export function SceneStage({ project, source }: { project: Shown; source: Source }) {
  return <Drawn project={project} source={source} cameras={useCameras(project, source)} />;
}

export function SceneView({ project, source, names, beside, handle }: SceneViewProps) {
  const cameras = useCameras(project, source);
  // Of the scene that is shown, which another attempt may follow already.
  const preset = PRESETS.find((one) => one === project.report?.preset);
  const [view, setView] = useState<string | null>(null);
  return (
    <>
      <header class="scene-head">
        <h1>{project.name}</h1>
        <p class="meta fine">
          {project.report ? <span>{plural(project.report.photos.registered, "photo")}</span> : null}
          {preset ? <span>{SCENE.quality(PRESET_WORDS[preset].label)}</span> : null}
          <span>{day(project.created_at)}</span>
        </p>
      </header>
      <div class="show">
        <Drawn project={project} source={source} cameras={cameras} view={view} handle={handle} />
        <div class="stack beside">
          {cameras !== "loading" && cameras !== null ? (
            <figure class="stack tight plan">
              <CameraPlan cameras={plan(cameras, project.edit?.up)} selected={view} names={names} onSelect={setView} />
              <figcaption class="fine">{view === null ? SCENE.fromAbove : SCENE.viewFrom(names(view))}</figcaption>
            </figure>
          ) : null}
          {beside}
        </div>
      </div>
      {drawnFile(project) ? null : <Failure error={{ message: SCENE.noFile, hint: SCENE.noFileHint }} />}
    </>
  );
}

/** The cameras, or null if the file is missing or unreadable. */
function useCameras(project: Shown, source: Source): CamerasFile | null | "loading" {
  const url = project.artifacts["cameras.json"] ? source.artifact("cameras.json", project.shown) : null;
  const { value, error } = useLoad(async () => (url === null ? null : parseCameras(await (await fetch(url, { credentials: "same-origin" })).json())), [url]);
  return value ?? (url === null || error ? null : "loading");
}
