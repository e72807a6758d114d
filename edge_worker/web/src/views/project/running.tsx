// A queued or running job: steps, time left, cost so far, a preview during training, and cancel.
// Never computes progress: it shows what the server reports.
import { useEffect, useState } from "preact/hooks";

import { api, ownSource } from "../../api/api.ts";
import { about, duration, plural, usd } from "../../lib/format.ts";
import { costSoFar, secondsLeft, steps } from "../../scene/progress.ts";
import { cancelQuestion, queueWords } from "../../scene/status.ts";
import { RUNNING } from "../../texts/running.ts";
import { FoundCameras, Ring } from "../common/ring.tsx";
import { Ask } from "../common/dialog.tsx";
import { Stage } from "../scene/stage.tsx";
import type { StateProps } from "./state-props.ts";
import { Head } from "./steps.tsx";

export function Running({ project, settings, mayUpload, onProject }: StateProps) {
  const now = useNow(1000);
  const [asking, setAsking] = useState(false);
  const left = secondsLeft(project, now);
  const cost = costSoFar(project, settings.price.usd_per_s, now);
  const queued = project.state === "queued";
  const waiting = queueWords(project.place);
  const question = cancelQuestion(project);
  const preview = project.progress?.preview ?? null;
  // Screen readers announce each step once. The message beside it changes every second.
  const current = steps(project).find(({ state }) => state === "now");
  const elapsedS = project.started_at ? Math.max(0, (now - Date.parse(project.started_at)) / 1000) : null;
  return (
    <section class="stack going">
      <Head project={project} heading={queued ? waiting.heading : left === null ? "Making your scene" : left < 3 ? "Almost done" : <>{capital(about(left))} <span class="of">left</span></>} />
      <p class="unseen" role="status">
        {queued ? waiting.heading : `${current?.label ?? ""} in progress`}
      </p>
      <p class="status-line">
        <span>{queued ? [project.notice?.message, project.notice?.hint].filter(Boolean).join(" ") || waiting.sentence : (project.progress?.message ?? "A worker has accepted the job.")}</span>
        <span class="figures quiet">
          {elapsedS === null ? null : `${duration(elapsedS < 10 ? Math.floor(elapsedS) : elapsedS).replace(".0", "")} so far`}
          {cost === null ? null : ` · ${usd(cost)}`}
        </span>
      </p>
      <p class="small">
        {plural(project.photos.count, "photo")}, {settings.price.gpu} at {usd(settings.price.usd_per_s * 3600)} per hour. You can close this page. The job continues, and your scene will be here.
      </p>
      {preview ? <Preview projectId={project.id} artifact={preview.artifact} seq={preview.seq} /> : null}
      {preview ? null : <Ahead project={project} />}
      {mayUpload ? (
        <div class="row">
          <button class="button quiet" type="button" onClick={() => setAsking(true)}>
            Cancel the job
          </button>
        </div>
      ) : null}
      {asking ? (
        <Ask
          title={question.title}
          action={question.action}
          keep={question.keep}
          danger
          onClose={() => setAsking(false)}
          onYes={async () => {
            onProject(await api.cancel(project.id));
            setAsking(false);
          }}
        >
          <p>{question.text}</p>
        </Ask>
      ) : null}
    </section>
  );
}

const AHEAD: readonly { label: string; words: string }[] = [
  { label: "Photos", words: "Each photo is checked for blur, size and duplicates." },
  { label: "Camera poses", words: "What the photos share shows where each one was taken." },
  { label: "Training", words: "The scene takes shape. A preview appears here and gets sharper." },
  { label: "Export", words: "The scene is written for the web, for viewers and for editors." },
];

/** Until there is a preview: the photos around the subject, and what happens next. */
function Ahead({ project }: Pick<StateProps, "project">) {
  const line = steps(project);
  const found = project.progress?.cameras ?? [];
  return (
    <div class="coming">
      {found.length > 0 ? (
        <FoundCameras cameras={found} label={RUNNING.found(found.length, project.photos.count)} />
      ) : (
        <Ring count={Math.min(72, Math.max(8, project.photos.count))} lit={project.photos.count} label={RUNNING.around(project.photos.count)} />
      )}
      <ol class="stack">
        {AHEAD.map(({ label, words }) => (
          <li key={label} class={line.find((step) => step.label === label)?.state}>
            <h2>{label}</h2>
            <p class="small">{words}</p>
          </li>
        ))}
      </ol>
    </div>
  );
}

/** The scene so far. A newer preview replaces it, and the view stays where it is. */
function Preview({ projectId, artifact, seq }: { projectId: string; artifact: string; seq: number }) {
  return (
    <figure class="stack tight preview">
      <Stage
        url={ownSource(projectId).artifact(artifact, seq)}
        fileName={artifact}
        poster={null}
        cameras={null}
        label="Preview of the scene"
        optional
      />
      <figcaption class="fine">A preview of your scene. It gets sharper as training continues.</figcaption>
    </figure>
  );
}

function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);
