// Adds photos to a scene that exists, and makes it again with all of them.
// Holds a choice of its own: a forgotten draft of another scene is never mixed in.
import { useRef } from "preact/hooks";

import type { StoredPhoto } from "../../../../shared/contracts/api.ts";
import { Intake } from "../../intake/intake.ts";
import { photosIn } from "../../intake/rules.ts";
import { useStore } from "../../lib/store.ts";
import { PHOTOS } from "../../texts/photos.ts";
import { match } from "../../upload/plan.ts";
import { startUpload } from "../../upload/session.ts";
import { DropZone, Pickers } from "../common/drop-zone.tsx";
import { Frame } from "../common/frame.tsx";
import { PresetChoice, useChoice } from "../common/preset-choice.tsx";
import type { StateProps } from "../project/state-props.ts";

export function AddPhotos({ project, settings, photos, onClose }: StateProps & { photos: readonly StoredPhoto[]; onClose: () => void }) {
  const own = useRef<Intake | null>(null);
  own.current ??= new Intake();
  const intake = own.current;
  const chosen = useStore(intake.chosen);
  const examining = chosen.some(({ examined }) => !examined);
  const verdicts = intake.verdicts(settings.limits);
  const usable = intake.toSend(settings.limits);
  const { found, fresh } = match(usable, photos);
  const added = [...found, ...fresh];
  const there = photos.filter(({ uploaded }) => uploaded).reduce((sum, { frames }) => sum + (frames ?? 1), 0);
  const all = there + photosIn(added, settings.limits);
  const quality = useChoice(settings, Math.min(all, settings.limits.photos_max), project.preset);
  // Frames fill what is left of the limit; photos must fit.
  const tooMany = there + added.length > settings.limits.photos_max;
  return (
    <DropZone className="stack add-photos" onFiles={(files) => intake.add(files)}>
      <h2>{PHOTOS.addTitle}</h2>
      <p>{PHOTOS.addLead(there)}</p>
      <Pickers onFiles={(files) => intake.add(files)} small />
      {chosen.length > 0 ? (
        <>
          <p class="status-line" role="status">
            {examining ? PHOTOS.checking : [PHOTOS.chosen(added.length), usable.length > added.length ? PHOTOS.known(usable.length - added.length) : null, tooMany ? PHOTOS.tooMany(settings.limits.photos_max) : null].filter(Boolean).join(" ")}
          </p>
          <ol class="contact">
            {chosen.map((one, i) => (
              <Frame key={one.key} one={one} verdict={verdicts[i]} number={i + 1} from={intake} />
            ))}
          </ol>
          <PresetChoice {...quality} />
        </>
      ) : null}
      {project.state === "done" ? <p class="small">{PHOTOS.replaces}</p> : null}
      <div class="row">
        <button class="button" type="button" disabled={examining || added.length === 0 || tooMany || Boolean(quality.estimates.get(quality.preset)?.refusal)} onClick={() => startUpload(project.id, added, quality.preset, { attempt: project.attempt, onStarted: () => intake.clear() })}>
          {PHOTOS.makeAgain}
        </button>
        <button class="button quiet" type="button" onClick={onClose}>
          {PHOTOS.cancel}
        </button>
      </div>
    </DropZone>
  );
}
