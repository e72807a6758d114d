// What a job's `output` or `error` at RunPod means: our report, our failure, or a failure to read either.
// Never passes a traceback on to people.
import { FAILURE_CODES, FailureSchema, ReportSchema, type FailureCode, type Report } from "../../../shared/contracts/job-report.ts";
import { parseJson } from "../../schema.ts";

export interface Failure {
  readonly code: FailureCode;
  readonly message: string;
  readonly hint: string | null;
  readonly stage: string | null;
}

export type Outcome =
  | { readonly kind: "report"; readonly report: Report }
  | { readonly kind: "failure"; readonly failure: Failure };

const RETRY = "Start it again. If it fails again, contact whoever runs this service.";
const MESSAGE_LENGTH_MAX = 1000;

/** The outcome of a COMPLETED job's `output`: our report, a failure inside it, or a failure to read it. */
export function readOutput(output: unknown): Outcome {
  const report = ReportSchema.safeParse(output);
  if (report.success) return { kind: "report", report: report.data };
  const inner = typeof output === "object" && output !== null ? (output as { error?: unknown }).error : undefined;
  if (inner !== undefined) return { kind: "failure", failure: readFailure(inner) };
  return {
    kind: "failure",
    failure: { code: "INTERNAL", message: "The job ended without a readable report.", hint: RETRY, stage: null },
  };
}

/**
 * The failure in a FAILED job's `error`: an object or its JSON text in our form, else text of the SDK or the platform.
 * Such text can hold tracebacks with paths and values, so only known sentences of the platform are recognised.
 */
export function readFailure(error: unknown): Failure {
  const value = typeof error === "string" ? parseJson(error) : error;
  const parsed = FailureSchema.safeParse(value);
  if (parsed.success) {
    const known = (FAILURE_CODES as readonly string[]).includes(parsed.data.code);
    return {
      code: known ? (parsed.data.code as FailureCode) : "INTERNAL",
      message: parsed.data.message.slice(0, MESSAGE_LENGTH_MAX),
      hint: parsed.data.hint ?? null,
      stage: parsed.data.stage ?? null,
    };
  }
  // RunPod's words for a worker that vanished, after it gave the job to another (seen 2026-09): no time limit.
  if (typeof error === "string" && /timed out after \d+ retries/i.test(error)) {
    const hint = "Start it again. If it stops again, use fewer photos or a smaller preset: a worker may be out of memory.";
    return { code: "INTERNAL", message: "The worker stopped before it finished, twice.", hint, stage: null };
  }
  if (typeof error === "string" && /timed out/i.test(error)) {
    return { code: "TIME_LIMIT", message: "The job reached its time limit.", hint: "Use fewer photos or a smaller preset.", stage: null };
  }
  return { code: "INTERNAL", message: "The worker failed without giving a reason.", hint: RETRY, stage: null };
}
