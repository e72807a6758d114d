// zod's messages in English, and shapes that only requests have: names, numbers in a query.
// Pure, except for the choice of language.
import * as z from "zod/mini";
import en from "zod/v4/locales/en.js";

import { INVISIBLE } from "../shared/limits.ts";
import { fromBase64 } from "./crypto.ts";
import { ApiError } from "./errors.ts";

z.config(en());

/** Invisible, too, but harmless beside letters. */
const BLANK = "\\s\\u200b-\\u200f\\u2060\\ufeff";
const READABLE = `^[^${INVISIBLE}]*[^${INVISIBLE}${BLANK}][^${INVISIBLE}]*$`;
const READABLE_FORM = new RegExp(READABLE, "u");

/** A name that people read; its length in characters, as JSON Schema counts them. tidy: applied to a valid name. */
export function words(lengthMax: number, ...tidy: z.core.$ZodCheck<string>[]): z.ZodMiniString {
  return z.string().check(
    // Half a surrogate pair would come back from storage as another text.
    z.refine((value) => value.isWellFormed() && READABLE_FORM.test(value), "must be readable text without control characters"),
    z.refine((value) => [...value].length <= lengthMax, `must have at most ${lengthMax} characters`),
    z.meta({ minLength: 1, maxLength: lengthMax, pattern: READABLE }),
    ...tidy,
  );
}

/** A whole number in a query's text, in digits only. JavaScript would also read "", " 1", "0x10" and "1e2" as numbers. */
export function intParameter(min: number, max: number): z.ZodMiniType<number> {
  const digits = z.string().check(z.regex(/^-?[0-9]{1,15}$/, "a whole number"));
  return z.pipe(z.pipe(digits, z.transform(Number)), z.int().check(z.gte(min), z.lte(max)));
}

/** US dollars; far above the price of any job, so that a typing error does not look like a limit. */
export const MaxCost = z.optional(z.number().check(z.positive(), z.lte(10_000)));

/** A JPEG in base64, of at most this many characters. */
export function jpeg(lengthMax: number): z.ZodMiniString {
  return z.string().check(z.regex(/^\/9j\/([A-Za-z0-9+/]{4})+([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, "a JPEG in base64"), z.maxLength(lengthMax));
}

/** Throws BAD_REQUEST for a text that is no base64 after all. */
export function bytesOf(base64: string): Uint8Array {
  try {
    return fromBase64(base64);
  } catch {
    throw new ApiError("BAD_REQUEST", "body: a JPEG in base64");
  }
}

/** The value of a JSON text; undefined, which no schema accepts, for any other text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
