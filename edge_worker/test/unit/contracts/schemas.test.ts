// Our schemas against the worker's own (docs/contracts/*.schema.json), by structure: what one side sends, the other takes.
import { describe, expect, test } from "vitest";
import * as z from "zod/mini";

import editSchema from "../../../../docs/contracts/edit.schema.json";
import failureSchema from "../../../../docs/contracts/job-failure.schema.json";
import editInputSchema from "../../../../docs/contracts/job-input-edit.schema.json";
import inputSchema from "../../../../docs/contracts/job-input.schema.json";
import reportSchema from "../../../../docs/contracts/job-report.schema.json";
import { CROPS_MAX, EditSchema } from "../../../shared/contracts/edit.ts";
import { EditJobInputSchema, JobInputSchema, OUTPUT_NAMES } from "../../../shared/contracts/job-input.ts";
import { FAILURE_CODES, FailureSchema, ReportSchema } from "../../../shared/contracts/job-report.ts";
import { PRESETS, STAGES } from "../../../shared/stages.ts";
import { gaps, type JsonSchema } from "../support/schema-gaps.ts";

const sent = (schema: z.ZodMiniType): JsonSchema => z.toJSONSchema(schema, { io: "output" }) as JsonSchema;
const read = (schema: z.ZodMiniType): JsonSchema => z.toJSONSchema(schema, { io: "input" }) as JsonSchema;
const failure: JsonSchema = { $defs: failureSchema.$defs, ...failureSchema.$defs.Failure };

/** The border also refuses negative amounts, which would count against a budget; the worker's schema does not say that it sends none. */
const NEGATIVE = ["$.artifacts.*.bytes", "$.stages[].seconds", "$.price.usd", "$.price.usd_per_s", "$.price.billed_s"];

describe("everything", () => {
  test("we send as input is accepted by the worker", () => expect(gaps(sent(JobInputSchema), inputSchema)).toEqual([]));
  test("we send as the input of an edit is accepted by the worker", () => expect(gaps(sent(EditJobInputSchema), editInputSchema)).toEqual([]));
  test("the worker sends as a report is read", () => expect(gaps(reportSchema, read(ReportSchema))).toEqual(NEGATIVE.map((path) => `${path}: may be lower`)));
  test("we accept as an edit is accepted by the worker, and the other way round", () => {
    expect(gaps(sent(EditSchema), editSchema)).toEqual([]);
    expect(gaps(editSchema, read(EditSchema))).toEqual([]);
    expect(editSchema.properties.crops.maxItems).toBe(CROPS_MAX);
  });
  test("the worker sends as a failure is read", () => expect(gaps(failure, read(FailureSchema))).toEqual([]));
});

test("names are the same on both sides, in the same order", () => {
  expect(STAGES).toEqual(reportSchema.$defs.Stage.enum);
  expect(PRESETS).toEqual(reportSchema.$defs.Preset.enum);
  expect(FAILURE_CODES).toEqual(failureSchema.$defs.Code.enum);
  expect(OUTPUT_NAMES).toEqual(inputSchema.properties.outputs.propertyNames.enum);
});

test("we read nothing from a report that the worker does not know", () => {
  const known = (schema: JsonSchema, of: JsonSchema): string[] => Object.keys((schema["properties"] ?? {}) as object).filter((name) => !Object.hasOwn((of["properties"] ?? {}) as object, name));
  const ours = read(ReportSchema)["properties"] as Record<string, JsonSchema>;
  const { Device, Metrics, PhotosReport } = reportSchema.$defs;
  expect(known(read(ReportSchema), reportSchema)).toEqual([]);
  expect(known(ours["device"] ?? {}, Device)).toEqual([]);
  expect(known(ours["metrics"] ?? {}, Metrics)).toEqual([]);
  expect(known(ours["photos"] ?? {}, PhotosReport)).toEqual([]);
});

describe("the comparison finds", () => {
  const given = z.strictObject({ a: z.string(), n: z.int().check(z.gte(1), z.lte(5)), kind: z.enum(["x", "y"]) });
  test.each([
    ["nothing where both are the same", given, []],
    ["a key that is required and may be absent", z.extend(given, { b: z.string() }), ["$.b: may be absent"]],
    ["a key that is not taken", z.strictObject({ a: z.string(), n: z.number() }), ["$.kind: is not taken"]],
    ["another type", z.extend(given, { a: z.boolean() }), ["$.a: string is not boolean"]],
    ["a value that is not taken", z.extend(given, { kind: z.literal("x") }), ['$.kind: "y" is not taken']],
    ["a bound that is passed", z.extend(given, { n: z.int().check(z.gte(2), z.lte(4)) }), ["$.n: may be lower", "$.n: may be higher"]],
    ["a pattern that is not certain", z.extend(given, { a: z.string().check(z.regex(/^a$/)) }), ["$.a: pattern ^a$ is not certain"]],
    ["a place of a tuple that differs", z.extend(given, { a: z.tuple([z.string()]) }), ["$.a: string is not array"]],
    ["null where it is not given", z.extend(given, { a: z.nullable(z.string()) }), []],
  ])("%s", (_what, taken, found) => {
    expect(gaps(sent(given), read(taken))).toEqual(found);
  });
});
