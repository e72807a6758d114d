// The input of a job, with all its addresses: of a scene from photos, or of an edit of a scene that an earlier attempt made.
import { CHECKPOINT_TYPE, EXTRA_NAMES, OUTPUT_NAMES, OUTPUT_TYPES, type EditJobInput, type JobInput, type OutputName } from "../../../shared/contracts/job-input.ts";
import type { Preset } from "../../../shared/stages.ts";
import { keys } from "../../clients/bucket-keys.ts";
import { Presigner } from "../../clients/presign.ts";
import { issue, type Grant } from "../../identity/capability.ts";
import type { Settings } from "../../settings.ts";
import type { PhotoRow } from "../photos/rules.ts";
import type { EditOrder } from "./state.ts";

export interface AttemptPlan {
  readonly projectId: string;
  readonly attempt: number;
  readonly preset: Preset;
  /** Null: a scene is made from the photos. */
  readonly edit: EditOrder | null;
  readonly photos: readonly PhotoRow[];
  readonly nonce: string;
  readonly progressSecret: string;
  /** ms since 1970. */
  readonly deadlineAt: number;
  /** When the attempt was first submitted, ms since 1970. */
  readonly submittedAt: number;
  /** Submissions before this one, all of which RunPod surely did not take. */
  readonly refusals: number;
  readonly now: number;
  /** US dollars that this job may use; null: no own limit. */
  readonly usdMax: number | null;
}

/** Its addresses are valid until the attempt's deadline. */
export async function buildInput(plan: AttemptPlan, settings: Settings): Promise<JobInput | EditJobInput> {
  const { projectId, attempt, edit } = plan;
  const presigner = new Presigner(settings);
  const expiresS = (plan.deadlineAt - plan.now) / 1000;
  const grant: Grant = { projectId, attempt, nonce: plan.nonce, expiresAt: plan.deadlineAt };
  const outputs = namesFor(edit).map(async (name): Promise<[string, string]> => {
    const { url } = await presigner.put(keys.output(projectId, attempt, name), expiresS, { contentType: OUTPUT_TYPES[name] });
    return [name, url];
  });
  const common = {
    version: 1,
    project_id: projectId,
    attempt,
    outputs: Object.fromEntries(await Promise.all(outputs)) as JobInput["outputs"],
    progress: {
      url: `${settings.workerUrl}/api/hooks/progress/${await issue("hook-progress", grant, settings.hookKeys)}`,
      secret: plan.progressSecret,
    },
    price: settings.price,
    limits: {
      max_seconds: settings.limits.job_seconds_max,
      ...(plan.usdMax === null || plan.usdMax <= 0 ? {} : { max_cost_usd: plan.usdMax }),
    },
  } as const;
  if (edit !== null) {
    const { base, recipe } = edit;
    const from = (name: OutputName): Promise<string> => presigner.get(keys.output(projectId, base, name), expiresS);
    const [scene_url, cameras_url, report_url] = [await from("scene.ply"), await from("cameras.json"), await from("report.json")];
    return { ...common, edit: { base, recipe, scene_url, cameras_url, report_url } };
  }
  const photos = plan.photos.map(async ({ as, bytes, sha256, frames }) => ({
    name: as,
    url: await presigner.get(keys.photo(projectId, as), expiresS),
    bytes,
    sha256,
    ...(frames === null ? {} : { frames_max: frames }),
  }));
  const checkpointKey = keys.checkpoint(projectId);
  const checkpointPut = await presigner.put(checkpointKey, expiresS, { contentType: CHECKPOINT_TYPE });
  return { ...common, photos: await Promise.all(photos), preset: plan.preset, checkpoint: { get: await presigner.get(checkpointKey, expiresS), put: checkpointPut.url } };
}

/** Files that are made only on request are so for an edit alone: it costs little. */
function namesFor(edit: EditOrder | null): OutputName[] {
  const extra = (name: OutputName): boolean => (EXTRA_NAMES as readonly string[]).includes(name);
  if (edit === null) return OUTPUT_NAMES.filter((name) => !extra(name));
  return OUTPUT_NAMES.filter((name) => name !== "preview.sog" && (!extra(name) || (edit.also as readonly string[]).includes(name)));
}
