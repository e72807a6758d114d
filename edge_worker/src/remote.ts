// An object's methods as those that call it from elsewhere see them.
/**
 * An object's methods as its callers see them. The platform's own stub type gives up on reports, which
 * hold fields that we do not know; they are JSON and travel all the same.
 */
export type Remote<T> = {
  readonly [K in keyof T as T[K] extends (...args: never[]) => unknown ? K : never]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};
