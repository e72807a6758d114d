// A job's report: quality, price, photos used, time per stage.
// Never computes a number that the report has.
import type { Report } from "../../../../shared/contracts/job-report.ts";
import type { Project } from "../../../../shared/contracts/project.ts";
import { count, day, duration, length, usd } from "../../lib/format.ts";
import type { PhotoNames } from "../../scene/photo-names.ts";
import { stageShares } from "../../scene/progress.ts";
import { GAUSSIANS_EXPLAINED, PSNR_EXPLAINED, psnrWords, SSIM_EXPLAINED } from "../../scene/quality.ts";
import { CLIPS, clock } from "../../texts/clips.ts";
import { NUMBERS, VERSIONS } from "../../texts/scene.ts";
import { SIZE } from "../../texts/size.ts";
import { Stat } from "../common/parts.tsx";

export function Numbers({ project }: { project: Project }) {
  const { report } = project;
  if (!report) return <p class="quiet">{NUMBERS.none}</p>;
  return (
    <section class="numbers" aria-label={NUMBERS.title}>
      <dl class="stats">
        {report.metrics.psnr_db !== null ? (
          <Stat label={NUMBERS.psnr} value={`${report.metrics.psnr_db.toFixed(1)} dB`} note={psnrWords(report.metrics.psnr_db)} explain={PSNR_EXPLAINED} />
        ) : null}
        {report.metrics.ssim !== null ? <Stat label={NUMBERS.ssim} value={report.metrics.ssim.toFixed(3)} explain={SSIM_EXPLAINED} /> : null}
        <Stat label={NUMBERS.gaussians} value={count(report.metrics.gaussians)} explain={GAUSSIANS_EXPLAINED} />
        {report.size ? (
          <Stat
            label={NUMBERS.size}
            value={NUMBERS.wide(length(report.size.width_m))}
            note={NUMBERS.high(length(report.size.height_m))}
            explain={SIZE.explain(report.size.error ?? null)}
          />
        ) : null}
        <Price report={report} />
      </dl>
      {report.edited ? <p class="small">{VERSIONS.measuredBefore}</p> : null}
      <Times report={report} />
      {report.warnings.length > 0 ? (
        <ul class="small">
          {report.warnings.map((warning) => (
            <li key={warning}>{warning}</li>
          ))}
        </ul>
      ) : null}
    </section>
  );
}

function Price({ report }: { report: Report }) {
  const { price } = report;
  if (!price) return null;
  const rate = NUMBERS.rate(duration(price.billed_s), price.gpu, (price.usd_per_s * 3600).toFixed(2), day(price.as_of));
  return <Stat label={NUMBERS.price} value={usd(price.usd)} note={price.estimate ? NUMBERS.estimate : undefined} explain={price.note ? `${rate} ${price.note}` : rate} />;
}

/** How many photos were used, and why the others were not. */
export function Photos({ report, names }: { report: Report; names: PhotoNames }) {
  return (
    <div class="stack tight">
      <dl>
        <Stat
          label={NUMBERS.photosUsed}
          value={
            <>
              {report.photos.registered} <span class="of">{NUMBERS.of(report.photos.given)}</span>
            </>
          }
          explain={NUMBERS.photosExplained}
        />
      </dl>
      <Rejected report={report} names={names} />
      <Clips report={report} names={names} />
    </div>
  );
}

function Rejected({ report, names }: { report: Report; names: PhotoNames }) {
  const { rejected } = report.photos;
  if (rejected.length === 0) return null;
  return (
    <details class="not-used" open={rejected.length <= 2}>
      <summary>{NUMBERS.notUsed(rejected.length)}</summary>
      <ul>
        {rejected.map(({ name, reason }) => (
          <li key={name}>
            <span class="file-name">{names(name)}</span> {reason}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** Which seconds of each clip were used, and why the others were not. */
function Clips({ report, names }: { report: Report; names: PhotoNames }) {
  if (report.videos.length === 0) return null;
  return (
    <details class="not-used" open={report.videos.length === 1}>
      <summary>{CLIPS.title}</summary>
      {report.videos.map(({ name, seconds, used_s, dropped }) => (
        <div key={name}>
          <p>
            <span class="file-name">{names(name)}</span> {CLIPS.used(used_s.length, duration(seconds))}
          </p>
          {used_s.length > 0 ? <p class="small figures">{CLIPS.seconds(used_s.map(clock).join(", "))}</p> : null}
          <ul>
            {dropped.map(({ from_s, to_s, reason }) => (
              <li key={from_s}>{CLIPS.dropped(clock(from_s), clock(to_s), reason)}</li>
            ))}
          </ul>
        </div>
      ))}
    </details>
  );
}

/** Time per stage, as one bar with a legend. */
function Times({ report }: { report: Report }) {
  const shares = stageShares(report);
  const total = report.stages.reduce((sum, { seconds }) => sum + seconds, 0);
  return (
    <figure class="stack tight times">
      <figcaption>
        {NUMBERS.took(duration(total), report.device.name)}
      </figcaption>
      <div class="times-bar" aria-hidden="true">
        {shares.map(({ stage, share }) => (
          <span key={stage} class={`part ${stage}`} style={{ flexGrow: Math.max(share, 0.004) }} />
        ))}
      </div>
      <ul class="fine">
        {shares.map(({ stage, label, seconds }) => (
          <li key={stage}>
            <span class={`dot ${stage}`} aria-hidden="true" />
            {label} <span class="figures">{duration(seconds)}</span>
          </li>
        ))}
      </ul>
    </figure>
  );
}
