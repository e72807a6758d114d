// A job in the works: the steps, time left, cost so far, a first look while it trains, and cancel.
// Never computes progress: it shows what the server says.
import { useEffect, useState } from "preact/hooks";

import { api, ownSource } from "../../api/api.ts";
import { about, duration, plural, usd } from "../../lib/format.ts";
import { costSoFar, secondsLeft, steps } from "../../scene/progress.ts";
import { Ask } from "../common/dialog.tsx";
import type { StateProps } from "./state-props.ts";
import { Head } from "./steps.tsx";
import { Stage } from "../scene/stage.tsx";

export function Running({ project, settings, mayUpload, onProject }: StateProps) {
  const now = useNow(1000);
  const [asking, setAsking] = useState(false);
  const left = secondsLeft(project, now);
  const cost = costSoFar(project, settings.price.usd_per_s, now);
  const queued = project.state === "queued";
  const preview = project.progress?.preview ?? null;
  // Said aloud once per step; the message beside it changes every second and is for the eye.
  const going = steps(project).find(({ state }) => state === "now");
  const elapsedS = project.started_at ? Math.max(0, (now - Date.parse(project.started_at)) / 1000) : null;
  return (
    <section class="going">
      <Head project={project} heading={queued ? "Waiting for a machine" : left === null ? "In the making" : left < 3 ? "Nearly there" : <>{capital(about(left))} <span class="of">left</span></>} />
      <p class="unseen" role="status">
        {queued ? "Waiting for a machine" : `${going?.label ?? ""} is going on`}
      </p>
      <p class="status-line">
        <span>{queued ? "A machine starts when it is needed; the first one can take some minutes." : (project.progress?.message ?? "The machine has taken the job.")}</span>
        <span class="figures">
          {elapsedS === null ? null : `${duration(elapsedS < 10 ? Math.floor(elapsedS) : elapsedS).replace(".0", "")} so far`}
          {cost === null ? null : ` · ${usd(cost)}`}
        </span>
      </p>
      <p class="small">
        {plural(project.photos.count, "photo")}, {settings.price.gpu} at {usd(settings.price.usd_per_s * 3600)} per hour. You can close this page: the work goes on, and the scene will be here.
      </p>
      {preview ? <Preview projectId={project.id} artifact={preview.artifact} seq={preview.seq} /> : null}
      {mayUpload ? (
        <div class="row">
          <button class="button quiet" type="button" onClick={() => setAsking(true)}>
            Cancel the job
          </button>
        </div>
      ) : null}
      {asking ? (
        <Ask
          title="Cancel this job?"
          action="Cancel the job"
          danger
          onClose={() => setAsking(false)}
          onYes={async () => {
            onProject(await api.cancel(project.id));
            setAsking(false);
          }}
        >
          <p>The machine stops and charges end. The photos stay, so you can start again, but the time already used is paid for.</p>
        </Ask>
      ) : null}
    </section>
  );
}

/** The scene as far as it is; a newer one replaces it, the view stays where it was put. */
function Preview({ projectId, artifact, seq }: { projectId: string; artifact: string; seq: number }) {
  return (
    <figure class="preview">
      <Stage
        url={ownSource(projectId).artifact(artifact, seq)}
        fileName={artifact}
        poster={null}
        cameras={null}
        label="A first look at the scene"
        // One look less is no failure: the next one, or the scene itself, follows.
        onFailure={() => undefined}
      />
      <figcaption class="fine">A first look, rough still. It gets sharper as training goes on.</figcaption>
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
