// The operations page: what the service does now, what it did, what is wrong and what to do. For operators.
// Loads on its own, apart from what every visit loads.
import { useEffect, useState } from "preact/hooks";

import type { Operations } from "../../../../shared/contracts/operations.ts";
import { noticeFailure } from "../../api/account.ts";
import type { ApiError } from "../../api/api.ts";
import { ago, duration, plural, usd } from "../../lib/format.ts";
import { projectPath } from "../../lib/router.ts";
import { operationsCalls } from "../../operations/calls.ts";
import { percent, workerCount, workersInWords } from "../../operations/words.ts";
import { STAGE_WORDS } from "../../scene/progress.ts";
import { Wait } from "../common/notices.tsx";
import { Failure, Link, Stat, useTitle } from "../common/parts.tsx";
import { PRESET_WORDS } from "../common/presets.ts";
import { History } from "./charts.tsx";
import { AlertReceiver, Checks } from "./checks.tsx";
import { Text } from "./text.tsx";

import "./operations.css";

const REFRESH_MS = 15_000;

export function OperationsPage() {
  useTitle("Operations");
  const { state, error } = useOperations();
  return (
    <article class="stack operations">
      <div class="stack tight">
        <h1>Operations</h1>
        {state === null ? null : <p class="quiet">Stack {state.stack}. Times are UTC.</p>}
      </div>
      <Failure error={error} />
      {state === null ? error === null ? <Wait /> : null : <State state={state} />}
    </article>
  );
}

/** The newest state, asked for again while the page is visible. */
function useOperations(): { state: Operations | null; error: ApiError | null } {
  const [state, setState] = useState<Operations | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    let stopped = false;
    const load = async (): Promise<void> => {
      if (document.visibilityState === "hidden") return;
      try {
        const next = await operationsCalls.state();
        if (stopped) return;
        setState(next);
        setError(null);
      } catch (failure) {
        if (!stopped) setError(noticeFailure(failure));
      }
    };
    void load();
    const timer = setInterval(() => void load(), REFRESH_MS);
    return () => {
      stopped = true;
      clearInterval(timer);
    };
  }, []);
  return { state, error };
}

function State({ state }: { state: Operations }) {
  return (
    <>
      <Alerts state={state} />
      <Now state={state} />
      <History state={state} />
      <div class="columns">
        <UnderWay state={state} />
        <Failures state={state} />
        <Stages state={state} />
        <Checks />
        <AlertReceiver receiver={state.receiver} />
        <Consoles state={state} />
      </div>
    </>
  );
}

function Alerts({ state: { alerts } }: { state: Operations }) {
  return (
    <div class="stack tight" role="status">
      {alerts.map(({ name, severity, since, summary, action }) => (
        <div key={name} class={`alert ${severity}`}>
          <p>
            <strong>
              <Text>{summary}</Text>
            </strong>{" "}
            <span class="fine">{ago(since, Date.now())}</span>
          </p>
          <p class="small">
            <Text>{action}</Text>
          </p>
        </div>
      ))}
    </div>
  );
}

function Now({ state: { queue, runpod, success_rate, spend } }: { state: Operations }) {
  return (
    <section aria-label="Now">
      <dl class="stats">
        <Stat label="Jobs running" value={queue.running} />
        <Stat label="Jobs waiting" value={queue.waiting} note={queue.waiting > 0 && queue.oldest_wait_s > 0 ? `the first for ${duration(queue.oldest_wait_s)}` : undefined} />
        <Stat label="Workers" value={workerCount(runpod) ?? "?"} note={workersInWords(runpod)} />
        <Stat label="Success rate" value={percent(success_rate.day)} note={`last 24 hours, ${percent(success_rate.month)} in 30 days`} explain="Of the jobs that succeeded or failed. Cancelled jobs do not count." />
        <Stat label="Spend today" value={usd(spend.today_usd)} note={spend.reserved_usd > 0 ? `and ${usd(spend.reserved_usd)} reserved for jobs under way` : undefined} />
        <Stat label="Spend this month" value={usd(spend.month_usd)} note={`${usd(spend.left_usd)} of ${usd(spend.budget_usd)} left`} explain="What jobs reported, without the start and the idle time of workers. The command splat cost compares it with RunPod's bill." />
      </dl>
    </section>
  );
}

function UnderWay({ state: { under_way, queue } }: { state: Operations }) {
  const more = queue.waiting + queue.running - under_way.length;
  return (
    <section class="stack tight" aria-labelledby="under-way-title">
      <h2 id="under-way-title">Jobs under way</h2>
      {under_way.length === 0 ? <p class="quiet">None.</p> : null}
      <ul class="lines">
        {under_way.map((job) => (
          <li key={job.project_id}>
            <Link class="tall-link" href={projectPath(job.project_id)}>{job.name}</Link>
            <span class="fine figures">{ago(job.since, Date.now())}</span>
            <span class="fine">
              {job.state === "running" ? "Running" : job.place === null ? "Waits for a worker" : `Number ${job.place} in the queue`}, {plural(job.photos, "photo")}
              {job.preset === null ? "" : `, ${PRESET_WORDS[job.preset].label}`}
            </span>
          </li>
        ))}
      </ul>
      {more > 0 ? <p class="quiet">And {more} more.</p> : null}
    </section>
  );
}

function Failures({ state: { failures } }: { state: Operations }) {
  return (
    <section class="stack tight" aria-labelledby="failures-title">
      <h2 id="failures-title">Last failures</h2>
      {failures.length === 0 ? <p class="quiet">No scene is in a failed state.</p> : null}
      <ul class="lines">
        {failures.map(({ project_id, name, at, error, advice }) => (
          <li key={project_id}>
            <Link class="tall-link" href={projectPath(project_id)}>{name}</Link>
            <span class="fine figures">{ago(at, Date.now())}</span>
            <div class="failure-words small">
              <p>
                <Text>{error?.message ?? "It failed without a reason."}</Text>
              </p>
              {(advice ?? error?.hint) ? (
                <p class="fix">
                  <Text>{advice ?? error?.hint ?? ""}</Text>
                </p>
              ) : null}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Stages({ state: { stages } }: { state: Operations }) {
  return (
    <section class="stack tight" aria-labelledby="stages-title">
      <h2 id="stages-title">Seconds per stage</h2>
      {stages.length === 0 ? (
        <p class="quiet">No job has succeeded in the last 30 days.</p>
      ) : (
        <table>
          <caption class="fine">Jobs of the last 30 days that succeeded</caption>
          <thead>
            <tr>
              <th scope="col">Stage</th>
              <th scope="col">Half within</th>
              <th scope="col">95 % within</th>
              <th scope="col">Jobs</th>
            </tr>
          </thead>
          <tbody>
            {stages.map(({ stage, jobs, p50_s, p95_s }) => (
              <tr key={stage}>
                <th scope="row">{STAGE_WORDS[stage] ?? stage}</th>
                <td>{duration(p50_s)}</td>
                <td>{duration(p95_s)}</td>
                <td>{jobs}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Consoles({ state: { consoles } }: { state: Operations }) {
  const links = [
    ["RunPod: endpoint and worker logs", consoles.runpod],
    ["Cloudflare: Workers and their logs", consoles.cloudflare],
    ["Cloudflare: the bucket", consoles.bucket],
  ].filter((link): link is [string, string] => link[1] !== null);
  return (
    <section class="stack tight" aria-labelledby="consoles-title">
      <h2 id="consoles-title">Consoles</h2>
      {links.length === 0 ? <p class="quiet">This stack runs on one machine and has none.</p> : null}
      <ul>
        {links.map(([label, href]) => (
          <li key={href}>
            <a class="tall-link" href={href} target="_blank" rel="noreferrer">
              {label}
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
