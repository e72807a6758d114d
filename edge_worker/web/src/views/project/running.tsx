// A queued or running job: steps, time left, cost so far, a preview during training, and cancel.
// Never computes progress: it shows what the server reports.
import { useEffect, useState } from "preact/hooks";

import { api, ownSource } from "../../api/api.ts";
import { about, duration, usd } from "../../lib/format.ts";
import { costSoFar, secondsLeft, steps } from "../../scene/progress.ts";
import { cancelQuestion, queueWords } from "../../scene/status.ts";
import { usePhotos } from "../../scene/photo-names.ts";
import { RUNNING } from "../../texts/running.ts";
import { FoundCameras, Ring } from "../common/ring.tsx";
import { Ask } from "../common/dialog.tsx";
import { PhotoSheet } from "../photos/sheet.tsx";
import { Stage } from "../scene/stage.tsx";
import { NotifyMe } from "./notify.tsx";
import type { StateProps } from "./state-props.ts";
import { Head } from "./steps.tsx";

export function Running({ project, settings, mayUpload, onProject }: StateProps) {
  const now = useNow(1000);
  const [asking, setAsking] = useState(false);
  const photos = usePhotos(project.id);
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
      <Head project={project} heading={queued ? waiting.heading : left === null ? RUNNING.making : left < 3 ? RUNNING.almost : <>{capital(about(left))} <span class="of">{RUNNING.left}</span></>} />
      <p class="unseen" role="status">
        {queued ? waiting.heading : RUNNING.inProgress(current?.label ?? "")}
      </p>
      <p class="status-line">
        <span>{queued ? [project.notice?.message, project.notice?.hint].filter(Boolean).join(" ") || waiting.sentence : (project.progress?.message ?? RUNNING.accepted)}</span>
        <span class="figures quiet">
          {elapsedS === null ? null : RUNNING.soFar(duration(elapsedS < 10 ? Math.floor(elapsedS) : elapsedS).replace(".0", ""))}
          {cost === null ? null : ` · ${usd(cost)}`}
        </span>
      </p>
      <p class="small">
        {RUNNING.terms(project.photos.count, settings.price.gpu, usd(settings.price.usd_per_s * 3600))}
      </p>
      <div class={preview ? "at-work" : "at-work in-three"}>
        {preview ? <Preview projectId={project.id} artifact={preview.artifact} seq={preview.seq} /> : <Cameras project={project} />}
        <div class="stack">
          <Ahead project={project} />
          {mayUpload ? (
            <div class="row">
              <button class="button quiet" type="button" onClick={() => setAsking(true)}>
                {RUNNING.cancel}
              </button>
            </div>
          ) : null}
          <div class="stack tight notify">
            <NotifyMe projectId={project.id} attempt={project.attempt} pushKey={settings.push_key} />
          </div>
          {preview ? <Cameras project={project} /> : null}
        </div>
        <div class="beside-job">
          <PhotoSheet project={project} photos={photos} />
        </div>
      </div>
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

/** What is done, what happens now, and what comes next. */
function Ahead({ project }: Pick<StateProps, "project">) {
  const line = steps(project);
  return (
    <ol class="to-come">
      {RUNNING.ahead.map(({ label, words }) => (
        <li key={label} class={line.find((step) => step.label === label)?.state}>
          <h2>{label}</h2>
          <p class="small">{words}</p>
        </li>
      ))}
    </ol>
  );
}

/** The cameras that were found so far; before that, one for each photo. */
function Cameras({ project }: Pick<StateProps, "project">) {
  const found = project.progress?.cameras ?? [];
  const { count } = project.photos;
  return (
    <figure class="stack tight cameras">
      {found.length > 0 ? <FoundCameras cameras={found} label={RUNNING.found(found.length, count)} /> : <Ring count={Math.min(72, Math.max(8, count))} lit={count} label={RUNNING.around(count)} />}
      <figcaption class="fine" aria-hidden="true">
        {found.length > 0 ? RUNNING.found(found.length, count) : RUNNING.around(count)}
      </figcaption>
    </figure>
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
        label={RUNNING.preview}
        optional
      />
      <figcaption class="fine">{RUNNING.previewLead}</figcaption>
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
