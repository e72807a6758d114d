// The history as small charts: the last 24 hours or 30 days, the month against its budget, and the same figures as a table.
// A chart is one picture for screen readers, named by its figures; the table has each of them.
import { useId, useState } from "preact/hooks";

import type { Operations, Period } from "../../../../shared/contracts/operations.ts";
import { count, duration, plural, usd } from "../../lib/format.ts";
import { barChart, monthSoFar } from "../../operations/chart.ts";
import { periodName } from "../../operations/words.ts";

type Span = "hours" | "days";

const SPANS: Readonly<Record<Span, string>> = { hours: "Last 24 hours", days: "Last 30 days" };
const WIDTH = 320;
const HEIGHT = 88;

export function History({ state }: { state: Operations }) {
  const [span, setSpan] = useState<Span>("hours");
  const past = state[span];
  const sum = (name: "done" | "failed" | "cancelled" | "usd"): number => past.reduce((total, one) => total + one[name], 0);
  const most = (name: "wait_max_s" | "workers_max" | "queue_max"): number => Math.max(0, ...past.map((one) => one[name]));
  const jobs = `${count(sum("done"))} succeeded, ${count(sum("failed"))} failed, ${count(sum("cancelled"))} cancelled`;
  const names = past.map(({ at }) => periodName(at, span));
  return (
    <section class="stack" aria-labelledby="history-title">
      <div class="row history-head">
        <h2 id="history-title">History</h2>
        <div class="spans" role="group" aria-label="Period">
          {(Object.keys(SPANS) as Span[]).map((one) => (
            <button key={one} class="button quiet" type="button" aria-pressed={one === span} onClick={() => setSpan(one)}>
              {SPANS[one]}
            </button>
          ))}
        </div>
      </div>
      <div class="charts">
        <Figure title="Jobs that ended" summary={jobs} names={names} values={past.map(({ done, failed, cancelled }) => [done, failed, cancelled])} parts={["done", "failed", "cancelled"]} unit={count} />
        <Figure title="Spend" summary={usd(sum("usd"))} names={names} values={past.map((one) => [one.usd])} parts={["spend"]} unit={usd} />
        <Figure title="Longest wait" summary={most("wait_max_s") === 0 ? "no job waited" : duration(most("wait_max_s"))} names={names} values={past.map((one) => [one.wait_max_s])} parts={["wait"]} unit={duration} />
        <Figure title="Workers running at once" summary={`at most ${count(most("workers_max"))}`} names={names} values={past.map((one) => [one.workers_max])} parts={["workers"]} unit={count} />
        <Budget state={state} />
      </div>
      <Table past={past} span={span} />
    </section>
  );
}

/** What was spent of the calendar month's budget, day by day. */
function Budget({ state }: { state: Operations }) {
  const days = monthSoFar(state.days);
  const { budget_usd, left_usd } = state.spend;
  return (
    <Figure
      title="Month against budget"
      summary={`${usd(left_usd)} of ${usd(budget_usd)} left`}
      names={days.map(({ at }) => periodName(at, "days"))}
      values={days.map((one) => [one.usd])}
      parts={["spend"]}
      unit={usd}
      limit={budget_usd}
    />
  );
}

interface FigureProps {
  title: string;
  /** The figures in words, beside the title. */
  summary: string;
  names: readonly string[];
  values: readonly (readonly number[])[];
  /** Of each value, its class. */
  parts: readonly string[];
  unit: (value: number) => string;
  limit?: number;
}

function Figure({ title, summary, names, values, parts, unit, limit }: FigureProps) {
  const { bars, top, limitY } = barChart(values, { width: WIDTH, height: HEIGHT, ...(limit === undefined ? {} : { limit }) });
  const titleId = useId();
  return (
    <figure class="chart" aria-labelledby={titleId}>
      <figcaption id={titleId}>
        <span class="chart-title">{title}</span> <span class="fine figures">{summary}</span>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={`${title}: ${summary}`}>
        <line class="grid-line" x1="0" x2={WIDTH} y1="0.5" y2="0.5" />
        <line class="grid-line" x1="0" x2={WIDTH} y1={HEIGHT / 2} y2={HEIGHT / 2} />
        {bars.map(({ period, part, x, y, width, height }) => (
          <rect key={`${period}.${part}`} class={`column ${parts[part]}`} x={x} y={y} width={width} height={height}>
            <title>{`${names[period]}: ${unit(values[period]?.[part] ?? 0)}${parts.length > 1 ? ` ${parts[part]}` : ""}`}</title>
          </rect>
        ))}
        {limitY === null ? null : <line class="limit-line" x1="0" x2={WIDTH} y1={Math.max(1, limitY)} y2={Math.max(1, limitY)} />}
        <line class="base-line" x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      </svg>
      <p class="axis fine figures" aria-hidden="true">
        <span>{names[0]}</span>
        <span>top {unit(top)}</span>
        <span>{names.at(-1)}</span>
      </p>
    </figure>
  );
}

function Table({ past, span }: { past: readonly Period[]; span: Span }) {
  const active = past.filter(({ done, failed, cancelled, wait_max_s, workers_max }) => done + failed + cancelled + wait_max_s + workers_max > 0);
  return (
    <details class="table">
      <summary>The same figures as a table</summary>
      {active.length === 0 ? (
        <p class="quiet">Nothing ran.</p>
      ) : (
        <div class="scrolls" role="region" aria-label="Figures" tabIndex={0}>
          <table>
            <caption class="fine">
              {SPANS[span]}, UTC, {plural(active.length, span === "hours" ? "hour" : "day")} in which something ran
            </caption>
            <thead>
              <tr>
                <th scope="col">{span === "hours" ? "Hour" : "Day"}</th>
                <th scope="col">Succeeded</th>
                <th scope="col">Failed</th>
                <th scope="col">Cancelled</th>
                <th scope="col">Spend</th>
                <th scope="col">Longest wait</th>
                <th scope="col">Workers</th>
              </tr>
            </thead>
            <tbody>
              {active.toReversed().map((one) => (
                <tr key={one.at}>
                  <th scope="row">{periodName(one.at, span)}</th>
                  <td>{count(one.done)}</td>
                  <td>{count(one.failed)}</td>
                  <td>{count(one.cancelled)}</td>
                  <td>{usd(one.usd)}</td>
                  <td>{one.wait_max_s === 0 ? "–" : duration(one.wait_max_s)}</td>
                  <td>{count(one.workers_max)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}
