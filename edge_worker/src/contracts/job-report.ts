// What a job says at its end (report or failure) and on its way (progress), read at the border.
// Tolerant of fields that newer workers add; never passes a traceback on to people.
import * as z from "zod/mini";

import { amount, count, parseJson, text } from "../schema.ts";

export const STAGES = ["download", "photos", "sfm", "train", "export", "upload"] as const;

export const FAILURE_CODES = [
  "BAD_INPUT",
  "TOO_FEW_PHOTOS",
  "PHOTO_UNREADABLE",
  "DOWNLOAD_FAILED",
  "UPLOAD_FAILED",
  "SFM_FAILED",
  "OUT_OF_MEMORY",
  "OUT_OF_DISK",
  "TIME_LIMIT",
  "CANCELLED",
  "INTERNAL",
] as const;
export type FailureCode = (typeof FAILURE_CODES)[number] | "UPSTREAM";

export interface Failure {
  readonly code: FailureCode;
  readonly message: string;
  readonly hint: string | null;
  readonly stage: string | null;
}

export const ReportSchema = z.looseObject({
  version: z.literal(1),
  project_id: z.string(),
  attempt: z.int(),
  preset: z.string(),
  photos: z.looseObject({ given: z.int(), registered: z.int() }),
  artifacts: z.record(z.string(), z.object({ bytes: count, sha256: z.string() })),
  stages: z.array(z.object({ stage: z.string(), seconds: amount })),
  price: z.looseObject({ usd: amount, billed_s: amount }),
});
export type Report = z.infer<typeof ReportSchema>;

const FailureSchema = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.nullish(z.string()),
  stage: z.nullish(z.string()),
});

export const ProgressSchema = z.object({
  project_id: z.string(),
  attempt: z.int(),
  seq: count,
  stage: text(0, 40),
  fraction: z.number().check(z.gte(0), z.lte(1)),
  message: text(0, 2000),
  eta_s: z.nullish(amount),
  preview: z.nullish(z.object({ artifact: text(0, 100), seq: count })),
});
export type ProgressMessage = z.infer<typeof ProgressSchema>;

export type Outcome =
  | { readonly kind: "report"; readonly report: Report }
  | { readonly kind: "failure"; readonly failure: Failure };

/** The outcome of a COMPLETED job's `output`: our report, a failure inside it, or a failure to read it. */
export function readOutput(output: unknown): Outcome {
  const report = ReportSchema.safeParse(output);
  if (report.success) return { kind: "report", report: report.data };
  const inner = typeof output === "object" && output !== null ? (output as { error?: unknown }).error : undefined;
  if (inner !== undefined) return { kind: "failure", failure: readFailure(inner) };
  return {
    kind: "failure",
    failure: { code: "INTERNAL", message: "The job ended without a report that can be read.", hint: RETRY, stage: null },
  };
}

const RETRY = "Start it again; if it happens again, look at the worker's log.";
const MESSAGE_LENGTH_MAX = 1000;

/**
 * The failure in a FAILED job's `error`: an object or its JSON text in our form, else a text of the SDK or the platform.
 * Other texts can hold tracebacks with paths and values: only known sentences of the platform pass.
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
  if (typeof error === "string" && /timed out/i.test(error)) {
    return { code: "TIME_LIMIT", message: "The job did not end within its time limit.", hint: "Use fewer photos or a smaller preset.", stage: null };
  }
  return { code: "INTERNAL", message: "The worker failed without saying why.", hint: RETRY, stage: null };
}
