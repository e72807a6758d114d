// The signed-in session and the service's settings, loaded once and shared by all pages.
// Never assumes a permission: pages offer only what the session allows.
import type { Session, Settings } from "../../../shared/contracts/api.ts";
import { allows, type Scope } from "../../../shared/scopes.ts";
import { Store } from "../lib/store.ts";
import { api, asApiError, type ApiError } from "./api.ts";

export type Account =
  | { is: "loading" }
  | { is: "in"; session: Session; settings: Settings }
  | { is: "out" }
  | { is: "error"; error: ApiError };

export const account = new Store<Account>({ is: "loading" });

export async function loadAccount(): Promise<void> {
  try {
    const [session, settings] = await Promise.all([api.session(), api.settings()]);
    account.set({ is: "in", session, settings });
  } catch (error) {
    const known = asApiError(error);
    account.set(known.status === 401 ? { is: "out" } : { is: "error", error: known });
  }
}

/** The error to show. A 401 means that the session has ended: the whole app then shows the sign-in page. */
export function noticeFailure(failure: unknown): ApiError {
  const error = asApiError(failure);
  if (error.status === 401) account.set({ is: "out" });
  return error;
}

export const may = (session: Session, scope: Scope): boolean => allows(session.scopes, scope);
