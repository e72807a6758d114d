// Shapes that many schemas share, in zod's small form; the full form costs 70 kB of bundle for the same checks.
// Sets no language: the server chooses one (src/schema.ts), and the page shows none of zod's messages.
import * as z from "zod/mini";

export const count = z.int().check(z.nonnegative());
export const positiveInt = z.int().check(z.positive());
/** Seconds, US dollars and the like. */
export const amount = z.number().check(z.nonnegative());

export function text(min: number, max: number): z.ZodMiniString {
  return z.string().check(z.minLength(min), z.maxLength(max));
}
