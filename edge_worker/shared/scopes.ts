// What a caller may do. Each scope includes the ones before it.

/** `view` reads, `upload` creates and starts, `operate` deletes, shares and sees the whole service. */
export const SCOPES = ["view", "upload", "operate"] as const;
export type Scope = (typeof SCOPES)[number];

/** Whether any of the caller's scopes includes `needed`. */
export function allows(scopes: readonly Scope[], needed: Scope): boolean {
  return scopes.some((own) => SCOPES.indexOf(own) >= SCOPES.indexOf(needed));
}
