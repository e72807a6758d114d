// Whether the device has a network connection, as the browser reports it.
import { useEffect, useState } from "preact/hooks";

export function useOnline(): boolean {
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const end = new AbortController();
    for (const type of ["online", "offline"]) addEventListener(type, () => setOnline(navigator.onLine), { signal: end.signal });
    return () => end.abort();
  }, []);
  return online;
}
