// A link to pass on: its address in a field, and a button that copies it.
import { useState } from "preact/hooks";

import { LINKS } from "../../texts/sharing.ts";

const COPIED_MS = 2000;

export function LinkField({ label, url }: { label: string; url: string }) {
  return <input class="link-field" type="text" readOnly value={url} aria-label={label} onFocus={({ currentTarget }) => currentTarget.select()} />;
}

/** Copies a text. Without clipboard access, people can select it in its field. */
export function Copy({ text }: { text: string }) {
  const [outcome, setOutcome] = useState<"copied" | "blocked" | null>(null);
  const copy = async (): Promise<void> => {
    try {
      // Missing on plain http, and blocked if people denied access.
      await navigator.clipboard.writeText(text);
      setOutcome("copied");
    } catch {
      setOutcome("blocked");
    }
    setTimeout(() => setOutcome(null), COPIED_MS);
  };
  return (
    <button class="button text" type="button" onClick={() => void copy()}>
      <span aria-live="polite">{outcome === "copied" ? LINKS.copied : outcome === "blocked" ? LINKS.select : LINKS.copy}</span>
    </button>
  );
}
