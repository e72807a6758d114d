// Who is using the page and what the service allows: read once, shared by all pages.
// Never guesses a permission: what the session does not list is not offered.
import { api, ApiError } from "./api.ts";
import type { Session, Settings } from "../contract.ts";
import { Store } from "../lib/store.ts";

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

/** Any call that is answered with 401 means that the session ended: the whole page says so. */
export function noticeSignedOut(error: ApiError): void {
  if (error.status === 401) account.set({ is: "out" });
}

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  console.error(error);
  return new ApiError(0, "INTERNAL", "Something went wrong on this page.", "Reload it; nothing on the server is lost.");
}

export const may = (session: Session, scope: "view" | "upload" | "operate"): boolean => session.scopes.includes(scope) || implied(session, scope);

/** view < upload < operate: a session with a wider scope may do what the narrower ones may. */
function implied({ scopes }: Session, scope: "view" | "upload" | "operate"): boolean {
  const order = ["view", "upload", "operate"];
  return scopes.some((held) => order.indexOf(held) >= order.indexOf(scope));
}
