// The type of a Durable Object's stub: its methods as callers elsewhere see them.
// The platform's own type rejects reports, which hold fields of any JSON; they travel nevertheless.
export type Remote<T> = {
  readonly [K in keyof T as T[K] extends (...args: never[]) => unknown ? K : never]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};
