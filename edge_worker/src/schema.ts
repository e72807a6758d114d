// zod's messages in English, and the shapes that only requests have: names, numbers in a query.
// Pure, but for the choice of language.
import * as z from "zod/mini";
import en from "zod/v4/locales/en.js";

import { INVISIBLE } from "../shared/limits.ts";

z.config(en());

/** Also nothing to look at, but harmless beside letters. */
const BLANK = "\\s\\u200b-\\u200f\\u2060\\ufeff";
const READABLE = `^[^${INVISIBLE}]*[^${INVISIBLE}${BLANK}][^${INVISIBLE}]*$`;
const READABLE_FORM = new RegExp(READABLE, "u");

/** A name that people read; its length in characters, as JSON Schema counts them. tidy: applied to what was found good. */
export function words(lengthMax: number, ...tidy: z.core.$ZodCheck<string>[]): z.ZodMiniString {
  return z.string().check(
    // Half a surrogate pair would come back from storage as another text.
    z.refine((value) => value.isWellFormed() && READABLE_FORM.test(value), "must be readable text without control characters"),
    z.refine((value) => [...value].length <= lengthMax, `must have at most ${lengthMax} characters`),
    z.meta({ minLength: 1, maxLength: lengthMax, pattern: READABLE }),
    ...tidy,
  );
}

export function intBetween(min: number, max: number): z.ZodMiniNumberFormat {
  return z.int().check(z.gte(min), z.lte(max));
}

/** A whole number in a query's text, in digits: what JavaScript would also read as one ("", " 1", "0x10", "1e2") is none. */
export function intParameter(min: number, max: number): z.ZodMiniType<number> {
  const digits = z.string().check(z.regex(/^-?[0-9]{1,15}$/, "a whole number"));
  return z.pipe(z.pipe(digits, z.transform(Number)), z.int().check(z.gte(min), z.lte(max)));
}

/** The value of a JSON text; undefined, which no schema takes, for any other text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
