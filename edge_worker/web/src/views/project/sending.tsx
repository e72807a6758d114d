// The upload in progress, photo by photo.
// Shows the upload only: it continues while another page is shown.
import { FINAL } from "../../../../shared/stages.ts";
import { bytes } from "../../lib/format.ts";
import { useOnline } from "../../lib/online.ts";
import { useStore } from "../../lib/store.ts";
import { current, type Item, type Phase, type UploadSession } from "../../upload/session.ts";
import { CLIPS } from "../../texts/clips.ts";
import { SENDING } from "../../texts/sending.ts";
import { Bar, Failure } from "../common/parts.tsx";
import { Manage } from "./manage.tsx";
import type { StateProps } from "./state-props.ts";
import { Head } from "./steps.tsx";

const PHASE_WORDS: Record<Phase, string> = {
  declaring: "Preparing the upload…",
  sending: "Keep the app open until all photos are uploaded.",
  checking: "Checking that everything arrived…",
  starting: "Starting the job…",
  started: "All photos uploaded.",
  stopped: "Upload stopped.",
};

export function Sending({ project, upload, ...rest }: StateProps & { upload: UploadSession }) {
  const { phase, items, sentBytes, allBytes, error } = useStore(upload.progress);
  const fraction = allBytes > 0 ? sentBytes / allBytes : null;
  const sent = items.filter(({ state }) => state === "sent").length;
  const clips = items.filter(({ isClip }) => isClip).length;
  const stopped = phase === "stopped";
  const offline = !useOnline() && !stopped && phase !== "started";
  return (
    <section class="stack going">
      <Head project={{ ...project, state: "uploading" }} heading={<>{sent} <span class="of">{CLIPS.uploaded(items.length - clips, clips)}</span></>} uploadFraction={fraction} />
      <Bar fraction={fraction} label="Upload progress" />
      <p class="status-line">
        <span role="status">{offline ? "Offline. Continues by itself." : PHASE_WORDS[phase]}</span>
        <span class="figures quiet">
          {bytes(sentBytes)} of {bytes(allBytes)}
        </span>
      </p>
      <Failure error={error} />
      <div class="row">
        {stopped ? (
          <>
          <button class="button" type="button" onClick={() => void upload.run()}>
            Resume upload
          </button>
          {FINAL.has(project.state) ? (
            <button class="button quiet" type="button" onClick={() => current.set(null)}>
              {SENDING.back}
            </button>
          ) : null}
          </>
        ) : (
          <button class="button quiet" type="button" onClick={() => upload.stop()} disabled={phase !== "sending"}>
            Pause
          </button>
        )}
      </div>
      <ul class="files">
        {items.map((item) => (
          <FileLine key={item.name} item={item} offline={offline} />
        ))}
      </ul>
      {stopped ? <Manage project={project} {...rest} /> : null}
    </section>
  );
}

function FileLine({ item, offline }: { item: Item; offline: boolean }) {
  const { name, bytes: size, sent, state, repeats, reason } = item;
  const words = { waiting: repeats > 0 && !offline ? "retrying" : "waiting", sending: `${Math.floor((sent / Math.max(1, size)) * 100)} %`, sent: "uploaded", rejected: "failed" }[state];
  return (
    <li class={`file ${state}`}>
      <span class="file-name" title={name}>
        {name}
      </span>
      <span class="figures quiet">{bytes(size)}</span>
      <span class="file-state">{words}</span>
      <span class="line">
        <span class="fill" style={{ transform: `scaleX(${state === "sent" ? 1 : sent / Math.max(1, size)})` }} />
      </span>
      {reason ? <span class="why">{reason}</span> : null}
    </li>
  );
}
