// How others reach a project's object.
// Its id is checked before it names an object: a nonsense id must not create one.
import type { Env } from "../env.ts";
import { ApiError } from "../errors.ts";
import type { Remote } from "../remote.ts";
import type { Project } from "./project-object.ts";

export const PROJECT_ID_FORM = /^p_[0-9a-z]{16}$/;
export const PROJECT_ID_LETTERS = 16;

export function projectStub(env: Env, id: string): Remote<Project> & Fetcher {
  if (!PROJECT_ID_FORM.test(id)) throw new ApiError("NOT_FOUND", "This project does not exist.");
  return env.PROJECT.get(env.PROJECT.idFromName(id)) as unknown as Remote<Project> & Fetcher;
}
