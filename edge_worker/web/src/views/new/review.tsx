// The page before the upload: the chosen photos, what is wrong with them, time and price, and the start button.
// Nothing leaves the device before that button is pressed.
import { useState } from "preact/hooks";

import type { Session, Settings } from "../../../../shared/contracts/api.ts";
import { PROJECT_NAME_LENGTH_MAX } from "../../../../shared/limits.ts";
import { may } from "../../api/account.ts";
import { api } from "../../api/api.ts";
import { remember } from "../../api/last-seen.ts";
import type { DroppedFile } from "../../intake/dropped.ts";
import { intake } from "../../intake/intake.ts";
import { advise, photosIn, suggestName } from "../../intake/rules.ts";
import { isBlurred } from "../../intake/sharpness.ts";
import { bytes, plural, usd } from "../../lib/format.ts";
import { go, projectPath } from "../../lib/router.ts";
import { useStore } from "../../lib/store.ts";
import { CLIPS } from "../../texts/clips.ts";
import { startUpload } from "../../upload/session.ts";
import { DropZone, Pickers } from "../common/drop-zone.tsx";
import { Frame } from "../common/frame.tsx";
import { Failure, NameField, useAction, useTitle } from "../common/parts.tsx";
import { PresetChoice, useChoice } from "../common/preset-choice.tsx";
import { Ring } from "../common/ring.tsx";

import "./review.css";

export function Review({ session, settings }: { session: Session; settings: Settings }) {
  const chosen = useStore(intake.chosen);
  const [name, setName] = useState<string | null>(null);
  useTitle("New scene · Splat");

  const verdicts = intake.verdicts(settings.limits);
  const used = chosen.filter((_, i) => verdicts[i]?.use);
  const rejected = chosen.length - used.length;
  const examining = chosen.filter(({ examined }) => !examined).length;
  const size = used.reduce((sum, { facts }) => sum + facts.bytes, 0);
  const clips = used.filter(({ facts }) => facts.seconds !== null).length;
  const photos = photosIn(used.map(({ facts }) => facts), settings.limits);
  const advice = advise(photos, settings.limits, used.filter(({ facts }) => isBlurred(facts.sharpness)).length, clips > 0 && clips === used.length);
  const quality = useChoice(settings, photos);
  const suggested = suggestName(chosen.map(({ path }) => path), new Date());
  const sceneName = (name ?? suggested).trim() || suggested;

  const add = (files: DroppedFile[]): void => intake.add(files);
  const start = useAction(async () => {
    const project = await api.createProject(sceneName.slice(0, PROJECT_NAME_LENGTH_MAX));
    remember(project);
    startUpload(project.id, intake.toSend(settings.limits), quality.preset, { onStarted: () => intake.clear() });
    go(projectPath(project.id), "replace");
  });

  const cost = quality.estimates.get(quality.preset);
  // The reason is beside the choice of quality: nothing is uploaded that could not be started.
  const ready = advice.enough && examining === 0 && may(session, "upload") && !cost?.refusal;
  return (
    <DropZone className="review" onFiles={add}>
      <section class="stack sheet" aria-labelledby="sheet-title">
        <h1 id="sheet-title">{chosen.length === 0 ? "Choose your photos" : CLIPS.set(used.length - clips, clips, photos - (used.length - clips))}</h1>
        <p class="lead">
          <span role="status">
            {advice.words}
            {rejected > 0 && examining === 0 ? ` ${plural(rejected, "file")} will not be uploaded.` : null}
          </span>
          {examining > 0 ? <span class="quiet"> Checking {examining} of {chosen.length}…</span> : null}
        </p>
        <Pickers onFiles={add} small />
        {chosen.length === 0 ? <Ring count={24} lit={0} /> : null}
        <ol class="contact">
          {chosen.map((one, i) => (
            <Frame key={one.key} one={one} verdict={verdicts[i]} number={i + 1} />
          ))}
        </ol>
        <LeftOutFiles />
      </section>
      <form
        class="stack order"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) start.run();
        }}
      >
        <div class="order-ring">
          <Ring count={Math.max(settings.limits.photos_min, Math.min(72, Math.max(photos, 24)))} lit={photos} label={`${photos} photos around the subject`} />
        </div>
        <NameField name={name ?? suggested} onName={setName} />
        <PresetChoice {...quality} />
        <button class="button big" type="submit" disabled={!ready || start.busy}>
          {start.busy ? "Starting…" : "Make the scene"}
        </button>
        <p class="small">
          {used.length > 0 ? `Uploads ${bytes(size)}. ` : null}
          {cost ? `Costs about ${usd(cost.usd)}, billed by the second. ` : null}
          Photos can contain the location where they were taken. Whoever runs this service can read it.
        </p>
        <Failure error={start.error} />
      </form>
    </DropZone>
  );
}

/** Files of a dropped folder that are no photos for certain. */
function LeftOutFiles() {
  const files = useStore(intake.leftOut);
  if (files.length === 0) return null;
  return (
    <details class="small">
      <summary>{plural(files.length, "hidden or empty file")} left out</summary>
      <ul>
        {files.map(({ path, reason }, i) => (
          <li key={`${i}-${path}`}>
            <span class="file-name">{path}</span> {reason}
          </li>
        ))}
      </ul>
    </details>
  );
}
