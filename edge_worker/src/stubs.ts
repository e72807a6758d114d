// How routes reach the two kinds of objects.
// A project's id is checked before it names an object: asking for nonsense must not create one.
import type { Env } from "./env.ts";
import { ApiError } from "./errors.ts";
import { INDEX_NAME, type Index } from "./index-object.ts";
import type { Project } from "./project.ts";

export const PROJECT_ID_FORM = /^p_[0-9a-z]{16}$/;
export const PROJECT_ID_LETTERS = 16;

/**
 * An object's methods as its callers see them. The platform's own stub type gives up on reports, which
 * hold fields that we do not know; they are JSON and travel all the same.
 */
export type Remote<T> = {
  readonly [K in keyof T as T[K] extends (...args: never[]) => unknown ? K : never]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

export function projectStub(env: Env, id: string): Remote<Project> & Fetcher {
  if (!PROJECT_ID_FORM.test(id)) throw new ApiError("NOT_FOUND", "This project does not exist.");
  return env.PROJECT.get(env.PROJECT.idFromName(id)) as unknown as Remote<Project> & Fetcher;
}

export function indexStub(env: Env): Remote<Index> {
  return env.INDEX.get(env.INDEX.idFromName(INDEX_NAME)) as unknown as Remote<Index>;
}
