// The checks that the server does itself, and where its alerts go.
// `splat doctor` checks more; this needs no terminal.
import { useState } from "preact/hooks";

import type { Check, Receiver } from "../../../../shared/contracts/operations.ts";
import { useLoad } from "../../api/use-load.ts";
import { ago } from "../../lib/format.ts";
import { operationsCalls } from "../../operations/calls.ts";
import { receiverInWords } from "../../operations/words.ts";
import { Failure, useAction } from "../common/parts.tsx";
import { Copy, LinkField } from "../links/link-field.tsx";
import { Text } from "./text.tsx";

import "../links/links.css";

const STATE_WORDS: Readonly<Record<Check["state"], string>> = { ok: "Fine", finding: "Needs a fix", unknown: "Not known" };
const STATE_MARKS: Readonly<Record<Check["state"], string>> = { ok: "✓", finding: "✗", unknown: "–" };

export function Checks() {
  const [round, setRound] = useState(0);
  const { value, error } = useLoad(() => operationsCalls.checks(), [round]);
  return (
    <section class="stack tight" aria-labelledby="checks-title">
      <h2 id="checks-title">Checks</h2>
      <Failure error={error} />
      {value === null && error === null ? <p class="quiet" role="status">Checking…</p> : null}
      <ul class="checks" aria-live="polite">
        {value?.checks.map((check) => (
          <li key={check.name} class={check.state}>
            <span class="check-mark" aria-hidden="true">
              {STATE_MARKS[check.state]}
            </span>
            <div>
              <h3>
                <span class="unseen">{STATE_WORDS[check.state]}: </span>
                {check.name}
              </h3>
              <p class="small">
                <Text>{check.detail}</Text>
              </p>
              {check.fix === null ? null : (
                <p class="small fix">
                  <Text>{check.fix}</Text>
                  {check.runbook === null ? null : ` See “${check.runbook}” in docs/runbook.md.`}
                </p>
              )}
            </div>
          </li>
        ))}
      </ul>
      <p class="row links">
        <button class="button text" type="button" onClick={() => setRound(round + 1)}>
          Check again
        </button>
        <span class="small">
          <code>splat doctor</code> checks more.
        </span>
      </p>
    </section>
  );
}

export function AlertReceiver({ receiver }: { receiver: Receiver | null }) {
  const [sent, setSent] = useState<string | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const test = useAction(async () => setSent((await operationsCalls.testAlert()).detail));
  const show = useAction(async () => setSecret((await operationsCalls.alerts()).signing_secret));
  return (
    <section class="stack tight" aria-labelledby="receiver-title">
      <h2 id="receiver-title">Alerts</h2>
      {receiver === null ? (
        <p class="small">
          Alerts are shown here only. Set <code>alertWebhook</code> to send them to Slack, Discord or your own receiver, then run <code>splat up</code>.
        </p>
      ) : (
        <>
          <p class="small">
            {receiverInWords(receiver)}
            {receiver.last === null ? " None was sent yet." : ` Last ${receiver.last.ok ? "delivery" : "attempt"} ${ago(receiver.last.at, Date.now())}: ${receiver.last.detail}`}
          </p>
          <p class="row links">
            <button class="button text" type="button" disabled={test.busy} onClick={test.run}>
              Send a test
            </button>
            {receiver.kind === "standard" && secret === null ? (
              <button class="button text" type="button" disabled={show.busy} onClick={show.run}>
                Show the signing secret
              </button>
            ) : null}
          </p>
          {secret === null ? null : (
            <div class="stack tight">
              <LinkField label="Signing secret" url={secret} />
              <Copy text={secret} />
            </div>
          )}
          <p class="small" role="status">
            {sent}
          </p>
          <Failure error={test.error ?? show.error} />
        </>
      )}
    </section>
  );
}
