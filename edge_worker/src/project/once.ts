// Idempotency keys of calls that create something: the same key again gets the first answer.
import { ApiError } from "../errors.ts";
import type { OnceCall, ProjectStore } from "./store.ts";

export const NEW_KEY = "Send a new Idempotency-Key.";

/** The answer that a key was given before, null for a new key or none. Throws CONFLICT if the key was used for another request. */
export function earlierAnswer(store: ProjectStore, call: OnceCall, key: string | null, asked: string): string | null {
  const known = key === null ? undefined : store.recall(call, key);
  if (known === undefined) return null;
  if (known.asked !== asked) throw new ApiError("CONFLICT", "This Idempotency-Key was already used for another request.", { hint: NEW_KEY });
  return known.answer;
}
