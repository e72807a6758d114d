// Lets one element fill the window, without the browser's full screen: the rest of the page cannot be reached meanwhile.
// Escape ends it.
import { useEffect, useState } from "preact/hooks";

/** element: read when the theatre opens. Its style `.in-theatre` fills the window. */
export function useTheatre(element: { readonly current: HTMLElement | null }): { on: boolean; toggle: () => void } {
  const [on, setOn] = useState(false);
  useEffect(() => {
    const shown = element.current;
    if (!on || shown === null) return;
    const behind = besides(shown).filter((one) => !one.inert);
    for (const one of behind) one.inert = true;
    document.documentElement.classList.add("has-theatre");
    const leave = (event: KeyboardEvent): void => {
      // In full screen, Escape ends that first.
      if (event.key === "Escape" && document.fullscreenElement === null) setOn(false);
    };
    addEventListener("keydown", leave);
    return () => {
      removeEventListener("keydown", leave);
      document.documentElement.classList.remove("has-theatre");
      for (const one of behind) one.inert = false;
    };
  }, [on]);
  return { on, toggle: () => setOn(!on) };
}

/** Everything on the page that neither holds the element nor is in it. */
function besides(element: HTMLElement): HTMLElement[] {
  const parent = element.parentElement;
  if (parent === null || element === document.body) return [];
  const siblings = [...parent.children].filter((one): one is HTMLElement => one instanceof HTMLElement && one !== element);
  return [...siblings, ...besides(parent)];
}
