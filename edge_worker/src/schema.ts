// zod's small form, with its English sentences, and the few shapes that many schemas share.
// The full form costs 70 kB of bundle for the same checks.
import * as z from "zod/mini";
import en from "zod/v4/locales/en.js";

z.config(en());

export const count = z.int().check(z.nonnegative());
export const positiveInt = z.int().check(z.positive());
/** Seconds, US dollars and the like. */
export const amount = z.number().check(z.nonnegative());

export function text(min: number, max: number): z.ZodMiniString {
  return z.string().check(z.minLength(min), z.maxLength(max));
}

export function intBetween(min: number, max: number): z.ZodMiniNumberFormat {
  return z.int().check(z.gte(min), z.lte(max));
}

/** A number in a query's text. */
export function intParameter(min: number, max: number): z.ZodMiniType<number> {
  return z.coerce.number().check(z.int(), z.gte(min), z.lte(max));
}
