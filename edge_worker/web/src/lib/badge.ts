// What the tab and the app's icon show while a job runs: how far it is, and that it has ended while nobody looked.
import { useEffect } from "preact/hooks";

export type Mark = "none" | "live" | "ended";

const ICONS: Readonly<Record<Mark, string>> = { none: "/icons/icon.svg", live: "/icons/icon-live.svg", ended: "/icons/icon-ended.svg" };

export function useMark(mark: Mark): void {
  useEffect(() => {
    const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
    if (link) link.href = ICONS[mark];
    // Installed apps only; elsewhere it does nothing.
    const badge = mark === "ended" ? navigator.setAppBadge?.() : navigator.clearAppBadge?.();
    badge?.catch(() => undefined);
    return () => {
      if (link) link.href = ICONS.none;
    };
  }, [mark]);
}
