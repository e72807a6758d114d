// Photos on their way from this page: how far they are, one by one.
// Never sends by itself: the upload goes on even while another page is shown.
import { useEffect } from "preact/hooks";

import { bytes, plural } from "../../lib/format.ts";
import { useStore } from "../../lib/store.ts";
import { intake } from "../../intake/intake.ts";
import type { Item, Phase, UploadSession } from "../../upload/session.ts";
import { Bar, Failure } from "../common/parts.tsx";
import { Manage } from "./manage.tsx";
import type { StateProps } from "./state-props.ts";
import { Head } from "./steps.tsx";

const PHASE_WORDS: Record<Phase, string> = {
  announcing: "Getting ready to send…",
  sending: "Keep this page open until the photos are there.",
  checking: "Checking that everything arrived…",
  starting: "Starting the job…",
  started: "All there.",
  stopped: "The upload stopped.",
};

export function Sending({ project, upload, ...rest }: StateProps & { upload: UploadSession }) {
  const { phase, items, sentBytes, allBytes, error } = useStore(upload.progress);
  const fraction = allBytes > 0 ? sentBytes / allBytes : null;
  const sent = items.filter(({ state }) => state === "sent").length;
  const stopped = phase === "stopped";
  useEffect(() => {
    if (phase === "started") intake.clear();
  }, [phase]);
  return (
    <section class="going">
      <Head project={{ ...project, state: "uploading" }} heading={<>{sent} <span class="of">of {plural(items.length, "photo")} sent</span></>} uploadFraction={fraction} />
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
