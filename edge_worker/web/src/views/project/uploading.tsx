// A project whose photos are on their way, stopped half-way, or all there and waiting for the start.
// Never sends a file that the person did not choose again after a reload.
import { useEffect, useState } from "preact/hooks";

import { api } from "../../api/api.ts";
import type { ServerPhoto } from "../../contract.ts";
import { bytes, plural } from "../../lib/format.ts";
import type { DroppedFile } from "../../intake/dropped.ts";
import { intake } from "../../intake/intake.ts";
import { steps } from "../../stages.ts";
import { useStore } from "../../lib/store.ts";
import { current, UploadSession, type Item, type Phase, type PhotoToSend } from "../../upload/session.ts";
import { Manage } from "./manage.tsx";
import { Bar, Failure, useAction } from "../common/parts.tsx";
import { PresetChoice, useEstimates } from "../common/preset-choice.tsx";
import type { StateProps } from "./state-props.ts";
import { Steps } from "./steps.tsx";
import { DropZone, Pickers } from "../common/drop-zone.tsx";

const PHASE_WORDS: Record<Phase, string> = {
  announcing: "Getting ready to send…",
  sending: "Keep this page open until the photos are there.",
  checking: "Checking that everything arrived…",
  starting: "Starting the job…",
  started: "All there.",
  stopped: "The upload stopped.",
};

export function Uploading(props: StateProps & { upload: UploadSession | null }) {
  return props.upload ? <Sending {...props} upload={props.upload} /> : <Interrupted {...props} />;
}

function Sending({ project, upload, ...rest }: StateProps & { upload: UploadSession }) {
  const { phase, items, sentBytes, allBytes, error } = useStore(upload.progress);
  const fraction = allBytes > 0 ? sentBytes / allBytes : null;
  const sent = items.filter(({ state }) => state === "sent").length;
  const stopped = phase === "stopped";
  useEffect(() => {
    if (phase === "started") intake.clear();
  }, [phase]);
  return (
    <section class="going">
      <p class="over-title">{project.name}</p>
      <h1>
        {sent} <span class="of">of {plural(items.length, "photo")} sent</span>
      </h1>
      <Steps steps={steps({ ...project, state: "uploading" }, fraction)} />
      <Bar fraction={fraction} label="All photos" />
      <p class="status-line">
        <span role="status">{PHASE_WORDS[phase]}</span>
        <span class="figures">
          {bytes(sentBytes)} of {bytes(allBytes)}
        </span>
      </p>
      <Failure error={error} />
      <div class="row">
        {stopped ? (
          <button class="button" type="button" onClick={() => void upload.run()}>
            Send the rest
          </button>
        ) : (
          <button class="button quiet" type="button" onClick={() => upload.stop()} disabled={phase !== "sending"}>
            Pause
          </button>
        )}
      </div>
      <ul class="files">
        {items.map((item) => (
          <FileLine key={item.name} item={item} />
        ))}
      </ul>
      {stopped ? <Manage project={project} {...rest} /> : null}
    </section>
  );
}

function FileLine({ item }: { item: Item }) {
  const { name, bytes: size, sent, state, repeats, reason } = item;
  const words = { waiting: repeats > 0 ? `again soon (try ${repeats + 1})` : "waiting", sending: `${Math.floor((sent / Math.max(1, size)) * 100)} %`, sent: "sent", refused: "not sent" }[state];
  return (
    <li class={`file ${state}`}>
      <span class="file-name" title={name}>
        {name}
      </span>
      <span class="figures">{bytes(size)}</span>
      <span class="file-state">{words}</span>
      <span class="line">
        <span class="fill" style={{ transform: `scaleX(${state === "sent" ? 1 : sent / Math.max(1, size)})` }} />
      </span>
      {reason ? <span class="why">{reason}</span> : null}
    </li>
  );
}

/** After a reload the files are no longer in the page: choose them again, what arrived is not sent twice. */
function Interrupted({ project, settings, ...rest }: StateProps) {
  const [photos, setPhotos] = useState<readonly ServerPhoto[] | null>(null);
  const [preset, setPreset] = useState(project.preset ?? settings.presets[0] ?? "preview");
  const chosen = useStore(intake.chosen);
  useEffect(() => {
    let stopped = false;
    void api.photos(project.id).then(
      (answer) => stopped || setPhotos(answer.photos),
      () => stopped || setPhotos((known) => known ?? []),
    );
    return () => {
      stopped = true;
    };
    // Asked again with every news of the project: another device may be sending.
  }, [project]);
  const received = photos?.filter(({ uploaded }) => uploaded) ?? [];
  const missing = photos?.filter(({ uploaded }) => !uploaded) ?? [];
  const estimates = useEstimates(settings, Math.max(chosen.length, photos?.length ?? 0));

  const verdicts = intake.verdicts(settings.limits);
  const examining = chosen.some(({ examined }) => !examined);
  const usable = chosen.flatMap(({ file, facts, thumbnail }, i): PhotoToSend[] =>
    verdicts[i]?.use && facts.type !== null ? [{ file, name: facts.name, type: facts.type, bytes: facts.bytes, sha256: facts.sha256, thumbnail }] : [],
  );
  const send = (): void => {
    const upload = new UploadSession(project.id, usable, preset);
    current.set(upload);
    void upload.run();
  };
  const goOn = useAction(async () => {
    for (const { as } of missing) await api.removePhoto(project.id, as);
    rest.onProject(await api.start(project.id, preset));
  });
  const enough = received.length >= settings.limits.photos_min;
  const add = (files: DroppedFile[]): void => intake.add(files);
  return (
    <DropZone className="going" onFiles={add}>
      <p class="over-title">{project.name}</p>
      <h1>{photos === null || photos.length === 0 ? "No photos yet" : <>{received.length} <span class="of">of {plural(photos.length, "photo")} arrived</span></>}</h1>
      <Steps steps={steps(project, photos && photos.length > 0 ? received.length / photos.length : 0)} />
      <p class="lead">
        {missing.length > 0 ? "Not all photos are here. Unless they are being sent from somewhere else right now, choose them again: those that arrived are not sent twice." : "Choose the photos of this scene."}
      </p>
      {rest.mayUpload ? (
        <>
          <Pickers onFiles={add} small />
          {chosen.length > 0 ? (
            <p class="status-line" role="status">
              {examining ? "Checking the photos…" : `${plural(usable.length, "usable photo")} chosen.`}
            </p>
          ) : null}
          <PresetChoice settings={settings} estimates={estimates} preset={preset} onChoose={setPreset} />
          <div class="row">
            <button class="button" type="button" disabled={examining || usable.length + received.length < settings.limits.photos_min || usable.length === 0} onClick={send}>
              Send and make the scene
            </button>
            {enough && missing.length > 0 ? (
              <button class="button quiet" type="button" disabled={goOn.busy} onClick={goOn.run}>
                Go on with the {received.length} that arrived
              </button>
            ) : null}
          </div>
          <Failure error={goOn.error} />
        </>
      ) : null}
      <Manage project={project} settings={settings} {...rest} />
    </DropZone>
  );
}

/** Everything is there, nothing started: quality, price, start. */
export function Ready({ project, settings, ...rest }: StateProps) {
  const [preset, setPreset] = useState(project.preset ?? settings.presets[0] ?? "preview");
  const estimates = useEstimates(settings, project.photos.count);
  const start = useAction(async () => rest.onProject(await api.start(project.id, preset)));
  return (
    <section class="going">
      <p class="over-title">{project.name}</p>
      <h1>{plural(project.photos.count, "photo")} ready</h1>
      <Steps steps={steps(project)} />
      <p class="lead">{bytes(project.photos.bytes)} arrived and waits for the start.</p>
      {rest.mayUpload ? (
        <>
          <PresetChoice settings={settings} estimates={estimates} preset={preset} onChoose={setPreset} />
          <button class="button big" type="button" disabled={start.busy} onClick={start.run}>
            Make the scene
          </button>
          <Failure error={start.error} />
        </>
      ) : null}
      <Manage project={project} settings={settings} {...rest} />
    </section>
  );
}
