// Maps addresses to pages, and moves between pages without reloading the document.
// Never fetches. `match` is pure.
import { useEffect, useState } from "preact/hooks";

export type Route =
  | { page: "home" }
  | { page: "new" }
  | { page: "operations" }
  | { page: "project"; id: string }
  | { page: "shared"; token: string }
  | { page: "player"; token: string }
  | { page: "missing" };

export function match(path: string): Route {
  const parts = path.split("/").filter((part) => part !== "").map(decode);
  const [first, second] = parts;
  if (parts.length === 0) return { page: "home" };
  if (parts.length === 1 && (first === "new" || first === "operations")) return { page: first };
  if (parts.length === 2 && first === "p" && second) return { page: "project", id: second };
  if (parts.length === 2 && first === "s" && second) return { page: "shared", token: second };
  if (parts.length === 2 && first === "e" && second) return { page: "player", token: second };
  return { page: "missing" };
}

/** A broken escape such as `%E0%A4` becomes a missing page, not an exception. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

export const projectPath = (id: string): string => `/p/${encodeURIComponent(id)}`;

const MOVED = "splat:moved";

export function go(path: string, how: "push" | "replace" = "push"): void {
  if (how === "push") {
    // Where to come back to.
    history.replaceState({ y: scrollY }, "");
    history.pushState(null, "", path);
  } else history.replaceState(null, "", path);
  dispatchEvent(new Event(MOVED));
  scrollTo(0, 0);
}

/** After the page is drawn: the browser restores the place too early, while the page before is still there. */
function restoreScroll({ state }: PopStateEvent): void {
  const y = (state as { y?: number } | null)?.y ?? 0;
  requestAnimationFrame(() => requestAnimationFrame(() => scrollTo(0, y)));
}

export function useRoute(): Route {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const end = new AbortController();
    for (const type of ["popstate", MOVED]) addEventListener(type, () => setPath(location.pathname), { signal: end.signal });
    addEventListener("popstate", restoreScroll, { signal: end.signal });
    return () => end.abort();
  }, []);
  return match(path);
}

/** Leaves clicks that the browser should handle (new tab, download) alone. */
export function followLocally(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.currentTarget;
  if (!(link instanceof HTMLAnchorElement) || link.origin !== location.origin) return;
  event.preventDefault();
  go(link.pathname);
}
