// A finished scene: viewer, report, downloads, share links, and making it again.
// Not for share links: they show scene-view.tsx.
import { useRef, useState } from "preact/hooks";

import { ACTIVE } from "../../../../shared/stages.ts";
import type { Source } from "../../api/api.ts";
import { photoNames, usePhotos } from "../../scene/photo-names.ts";
import { PRESET_WORDS } from "../common/presets.ts";
import type { OpenScene } from "../../scene/viewer.ts";
import { Sharing } from "../links/sharing.tsx";
import { Again } from "../project/again.tsx";
import { MyPhotos } from "../photos/my-photos.tsx";
import { Manage } from "../project/manage.tsx";
import type { StateProps } from "../project/state-props.ts";
import { SCENE } from "../../texts/scene.ts";
import { later } from "../common/later.tsx";
import { Downloads } from "./downloads.tsx";
import { Editing } from "./edit/editing.tsx";
import { Numbers, Photos } from "./report.tsx";
import { Versions } from "./versions.tsx";
import { SceneView } from "./scene-view.tsx";

const Compare = later(async () => (await import("./compare.tsx")).Compare);

export function Scene({ source, ...props }: StateProps & { source: Source }) {
  const { project } = props;
  const [changes, setChanges] = useState(0);
  const photos = usePhotos(project.id, [project.photos.count, changes]);
  const names = photoNames(photos);
  const [other, setOther] = useState<number | null>(null);
  const handle = useRef<OpenScene | null>(null);
  return (
    <article class="stack scene">
      {other !== null && other !== project.shown ? (
        <Compare project={project} other={other} onClose={() => setOther(null)} />
      ) : (
      <SceneView
        project={project}
        source={source}
        names={names}
        handle={handle}
        beside={
          <>
            {project.report ? <Photos report={project.report} names={names} /> : null}
            {props.mayUpload ? <Editing {...props} handle={handle} /> : null}
          </>
        }
      />
      )}
      <div class="below">
        <Numbers project={project} />
        <div class="aside">
          <Downloads project={project} source={source} onProject={props.mayUpload ? props.onProject : undefined} />
          {props.mayOperate ? <Sharing projectId={project.id} name={project.name} /> : null}
          <Versions
            {...props}
            onCompare={(attempt) => {
              setOther(attempt);
              scrollTo(0, 0);
            }}
          />
          {props.mayUpload ? <Better {...props} /> : null}
          <Manage {...props} />
        </div>
        <MyPhotos {...props} photos={photos} onChanged={() => setChanges(changes + 1)} />
      </div>
    </article>
  );
}

/** Makes the scene again, for example at a finer quality after a preview. */
function Better(props: StateProps) {
  const { preset } = props.project;
  if (ACTIVE.has(props.project.state)) return null;
  return (
    <section class="stack tight" aria-labelledby="better-title">
      <h2 id="better-title">{SCENE.better}</h2>
      <p class="small">{preset ? SCENE.madeIn(PRESET_WORDS[preset].label) : null} {SCENE.betterLead}</p>
      <div class="row">
        <Again {...props} label={SCENE.again} />
      </div>
    </section>
  );
}
