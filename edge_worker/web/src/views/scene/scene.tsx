// A finished scene: the viewer, the numbers, where time and money went, downloads, sharing.
// Never computes a number that the report has.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

import type { Source } from "../../api/api.ts";
import { parseCameras, plan, type CamerasFile } from "../../scene/cameras.ts";
import type { Project, Report } from "../../contract.ts";
import { bytes, count, day, duration, plural, usd } from "../../lib/format.ts";
import { usePhotoNames, type PhotoNames } from "../../scene/photo-names.ts";
import { presetWords } from "../common/presets.ts";
import { GAUSSIANS_EXPLAINED, PSNR_EXPLAINED, psnrWords, SSIM_EXPLAINED } from "../../scene/quality.ts";
import { stageShares } from "../../stages.ts";
import { Again } from "../project/again.tsx";
import { Manage } from "../project/manage.tsx";
import { Failure, Stat } from "../common/parts.tsx";
import type { StateProps } from "../project/state-props.ts";
import { CameraPlan } from "../common/ring.tsx";
import { Sharing } from "../links/sharing.tsx";
import { Stage } from "./stage.tsx";

export function Scene({ source, ...props }: StateProps & { source: Source }) {
  const { project } = props;
  const names = usePhotoNames(project.id);
  return (
    <article class="scene">
      <SceneView project={project} source={source} names={names} beside={project.report ? <Photos report={project.report} names={names} /> : null} />
      <div class="below">
        <Numbers project={project} />
        <div class="aside">
          <Downloads project={project} source={source} />
          {props.mayOperate ? <Sharing projectId={project.id} /> : null}
          {props.mayUpload ? <Better {...props} /> : null}
          <Manage {...props} />
        </div>
      </div>
    </article>
  );
}

interface SceneViewProps {
  project: Project;
  source: Source;
  names: PhotoNames;
  beside?: ComponentChildren;
}

/** Title, viewer and camera plan: what a share link shows, too. */
export function SceneView({ project, source, names, beside }: SceneViewProps) {
  const cameras = useCameras(project, source);
  const [view, setView] = useState<string | null>(null);
  const [broken, setBroken] = useState<string | null>(null);
  const version = project.attempt;
  const poster = project.artifacts["poster.webp"] ? source.artifact("poster.webp", version) : null;
  const drawn = ["scene.sog", "scene.ply"].find((name) => project.artifacts[name]);
  return (
    <>
      <header class="scene-head">
        <h1>{project.name}</h1>
        <p class="meta">
          {project.report ? <span>{plural(project.report.photos.registered, "photo")}</span> : null}
          {project.preset ? <span>{presetWords(project.preset).label} quality</span> : null}
          <span>{day(project.created_at)}</span>
        </p>
      </header>
      <div class="show">
        {drawn && cameras !== "loading" ? (
          <Stage url={source.artifact(drawn, version)} fileName={drawn} poster={poster} cameras={cameras} label={project.name} view={view} onFailure={setBroken} />
        ) : (
          <div class="stage">{poster ? <img class="poster" src={poster} alt={project.name} /> : null}</div>
        )}
        <div class="beside">
          {cameras !== "loading" && cameras !== null ? (
            <figure class="plan">
              <CameraPlan cameras={plan(cameras)} selected={view} names={names} onSelect={setView} />
              <figcaption>{view === null ? "Every camera, seen from above. Press one to stand where the photo was taken." : `The view of ${names(view)}`}</figcaption>
            </figure>
          ) : null}
          {beside}
        </div>
      </div>
      {drawn ? null : <Failure error={{ message: "The scene's file is missing.", hint: "Start the job again, or tell whoever runs this service." }} />}
      <Failure error={broken === null ? null : { message: broken }} />
    </>
  );
}

/** The cameras, or null when they are not there or not readable: the scene is then framed as a whole. */
function useCameras(project: Project, source: Source): CamerasFile | null | "loading" {
  const there = project.artifacts["cameras.json"] !== undefined;
  const [cameras, setCameras] = useState<CamerasFile | null | "loading">(there ? "loading" : null);
  const url = source.artifact("cameras.json", project.attempt);
  useEffect(() => {
    if (!there) return;
    let stopped = false;
    fetch(url, { credentials: "same-origin" })
      .then(async (response) => parseCameras(await response.json()))
      .catch((error: unknown) => {
        console.warn("cameras.json:", error);
        return null;
      })
      .then((parsed) => stopped || setCameras(parsed));
    return () => {
      stopped = true;
    };
  }, [there, url]);
  return cameras;
}

/** After a look at a preview: the same photos in more detail. */
function Better(props: StateProps) {
  const { preset } = props.project;
  return (
    <section class="better" aria-labelledby="better-title">
      <h2 id="better-title">Quality</h2>
      <p class="small">{preset ? `Made in ${presetWords(preset).label} quality. ` : null}The photos are still here: they can be made again, finer or quicker.</p>
      <div class="row">
        <Again {...props} label="Make it again" />
      </div>
    </section>
  );
}

function Numbers({ project }: { project: Project }) {
  const { report } = project;
  if (!report) return <p class="quiet">This scene has no report.</p>;
  return (
    <section class="numbers" aria-label="Numbers">
      <dl class="stats">
        {typeof report.metrics.psnr_db === "number" ? (
          <Stat label="PSNR" value={`${report.metrics.psnr_db.toFixed(1)} dB`} note={psnrWords(report.metrics.psnr_db)} explain={PSNR_EXPLAINED} />
        ) : null}
        {typeof report.metrics.ssim === "number" ? <Stat label="SSIM" value={report.metrics.ssim.toFixed(3)} explain={SSIM_EXPLAINED} /> : null}
        <Stat label="Gaussians" value={count(report.metrics.gaussians)} explain={GAUSSIANS_EXPLAINED} />
        <Price report={report} />
      </dl>
      <Times report={report} />
      {report.warnings?.length ? (
        <ul class="warnings">
          {report.warnings.map((warning) => (
            <li key={warning}>{warning}</li>
          ))}
        </ul>
      ) : null}
    </section>
  );
}

function Price({ report }: { report: Report }) {
  const { price } = report;
  if (!price) return null;
  const rate = `${duration(price.billed_s)} of ${price.gpu} at $${(price.usd_per_s * 3600).toFixed(2)} per hour, price of ${day(price.as_of)}.`;
  return <Stat label="Price" value={usd(price.usd)} note={price.estimate ? "estimate" : undefined} explain={price.note ? `${rate} ${price.note}` : rate} />;
}

/** How many photos found their place, and why the others did not. */
function Photos({ report, names }: { report: Report; names: PhotoNames }) {
  return (
    <div class="photos-used">
      <dl>
        <Stat
          label="Photos used"
          value={
            <>
              {report.photos.registered} <span class="of">of {report.photos.given}</span>
            </>
          }
          explain="A photo counts as used when its place and direction could be found from what it shares with the others."
        />
      </dl>
      <Rejected report={report} names={names} />
    </div>
  );
}

function Rejected({ report, names }: { report: Report; names: PhotoNames }) {
  const { rejected } = report.photos;
  if (rejected.length === 0) return null;
  return (
    <details class="rejected" open={rejected.length <= 2}>
      <summary>{plural(rejected.length, "photo")} not used</summary>
      <ul>
        {rejected.map(({ name, reason }) => (
          <li key={name}>
            <span class="file-name">{names(name)}</span> {reason}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** Seconds per stage as one bar and its legend. */
function Times({ report }: { report: Report }) {
  const shares = stageShares(report);
  const total = report.stages.reduce((sum, { seconds }) => sum + seconds, 0);
  return (
    <figure class="times">
      <figcaption>
        Took {duration(total)}
        {report.device ? ` on ${report.device.name}` : ""}
      </figcaption>
      <div class="times-bar" aria-hidden="true">
        {shares.map(({ stage, share }) => (
          <span key={stage} class={`part ${stage}`} style={{ flexGrow: Math.max(share, 0.004) }} />
        ))}
      </div>
      <ul>
        {shares.map(({ stage, label, seconds }) => (
          <li key={stage}>
            <span class={`dot ${stage}`} aria-hidden="true" />
            {label} <span class="figures">{duration(seconds)}</span>
          </li>
        ))}
      </ul>
    </figure>
  );
}

const FILES: readonly { name: string; words: string }[] = [
  { name: "scene.sog", words: "For the web and phones" },
  { name: "scene.spz", words: "Small, for other viewers" },
  { name: "scene.ply", words: "Everything, for editors" },
  { name: "cameras.json", words: "Where each photo was taken" },
  { name: "report.json", words: "All numbers" },
];

function Downloads({ project, source }: { project: Project; source: Source }) {
  return (
    <section class="downloads" aria-labelledby="downloads-title">
      <h2 id="downloads-title">Downloads</h2>
      <ul>
        {FILES.flatMap(({ name, words }) => {
          const artifact = project.artifacts[name];
          // The report cannot list itself: it is there whenever the project has one.
          if (!artifact && !(name === "report.json" && project.report)) return [];
          return [
            <li key={name}>
              <a href={source.artifact(name, project.attempt)} download={`${fileStem(project.name)}-${name}`}>
                {name}
              </a>
              <span class="words">{words}</span>
              {artifact ? <span class="figures">{bytes(artifact.bytes)}</span> : null}
            </li>,
          ];
        })}
      </ul>
    </section>
  );
}

/** A name that every file system takes. */
function fileStem(name: string): string {
  return name.normalize("NFKD").replaceAll(/[^\w]+/g, "-").replaceAll(/^-+|-+$/g, "").toLowerCase() || "scene";
}
