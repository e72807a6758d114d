// How others reach the account's one object.
import type { Env } from "../env.ts";
import type { Remote } from "../remote.ts";
import { INDEX_NAME, type Index } from "./index-object.ts";

export function indexStub(env: Env): Remote<Index> {
  return env.INDEX.get(env.INDEX.idFromName(INDEX_NAME)) as unknown as Remote<Index>;
}
