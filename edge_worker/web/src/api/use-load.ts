// Loads a value for a page when it is shown, and again whenever one of `on` changes.
// Never shows an answer that arrives after its page is gone; the last value stays until a newer one arrives.
import { useEffect, useState } from "preact/hooks";

import { asApiError, type ApiError } from "./api.ts";

export interface Loaded<T> {
  value: T | null;
  error: ApiError | null;
}

export function useLoad<T>(load: () => Promise<T>, on: readonly unknown[]): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T>>({ value: null, error: null });
  useEffect(() => {
    let stopped = false;
    load().then(
      (value) => stopped || setLoaded({ value, error: null }),
      (error: unknown) => stopped || setLoaded(({ value }) => ({ value, error: asApiError(error) })),
    );
    return () => {
      stopped = true;
    };
  }, on);
  return loaded;
}
