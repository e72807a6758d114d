// A link to hand over: its address in a field, and a button that copies it.
// Never sends it anywhere.
import { useState } from "preact/hooks";

const COPIED_MS = 2000;

export function LinkField({ label, url }: { label: string; url: string }) {
  return <input class="link-field" type="text" readOnly value={url} aria-label={label} onFocus={({ currentTarget }) => currentTarget.select()} />;
}

/** Copies a text. Without a clipboard the text stays in its field, ready to be selected. */
export function Copy({ text }: { text: string }) {
  const [outcome, setOutcome] = useState<"copied" | "refused" | null>(null);
  const copy = async (): Promise<void> => {
    try {
      // Absent on plain http from another machine, and refused where people said no.
      await navigator.clipboard.writeText(text);
      setOutcome("copied");
    } catch {
      setOutcome("refused");
    }
    setTimeout(() => setOutcome(null), COPIED_MS);
  };
  return (
    <button class="button text" type="button" onClick={() => void copy()}>
      <span aria-live="polite">{outcome === "copied" ? "Copied" : outcome === "refused" ? "Select it to copy" : "Copy"}</span>
    </button>
  );
}
