// Small parts that several pages use: failures, dialogs, explained numbers, progress bars.
// Never fetches.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

import { asApiError } from "../../api/account.ts";
import type { ApiError } from "../../api/api.ts";
import { followLocally } from "../../lib/router.ts";

const COPIED_MS = 2000;

export function Link({ href, children, ...rest }: JSX.IntrinsicElements["a"] & { href: string }) {
  return (
    <a href={href} onClick={followLocally} {...rest}>
      {children}
    </a>
  );
}

/** What went wrong and what to do next, said at once by a screen reader. */
export function Failure({ error }: { error: { message: string; hint?: string | null | undefined } | null }) {
  if (!error) return null;
  return (
    <div class="failure" role="alert">
      <p>{error.message}</p>
      {error.hint ? <p class="hint">{error.hint}</p> : null}
    </div>
  );
}

/** An action that calls the server: is it going on, did it fail. */
export function useAction(action: () => Promise<void>): { run: () => void; busy: boolean; error: ApiError | null } {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const run = (): void => {
    if (busy) return;
    setBusy(true);
    setError(null);
    action()
      .catch((failure: unknown) => setError(asApiError(failure)))
      .finally(() => setBusy(false));
  };
  return { run, busy, error };
}

export function Bar({ fraction, label }: { fraction: number | null; label: string }) {
  const percent = fraction === null ? undefined : Math.round(fraction * 100);
  return (
    <div class={fraction === null ? "bar unknown" : "bar"} role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent}>
      <div class="fill" style={{ transform: `scaleX(${fraction ?? 1})` }} />
    </div>
  );
}

interface StatProps {
  label: string;
  value: ComponentChildren;
  /** A word or two beside the label. */
  note?: ComponentChildren;
  /** Plain words behind a question mark. */
  explain?: string;
}

/** A number with its name; the explanation opens below it, also by touch and keyboard. */
export function Stat({ label, value, note, explain }: StatProps) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <div class="stat">
      <dt>
        {label}
        {explain ? (
          <button class="ask" type="button" aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
            <span aria-hidden="true">?</span>
            <span class="unseen">What is {label}?</span>
          </button>
        ) : null}
      </dt>
      <dd>
        <span class="value">{value}</span>
        {note ? <span class="note">{note}</span> : null}
        {explain ? (
          <span class="explain" id={id} hidden={!open}>
            {explain}
          </span>
        ) : null}
      </dd>
    </div>
  );
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

interface AskProps {
  title: string;
  children: ComponentChildren;
  action: string;
  /** Danger is coloured, and never the default button. */
  danger?: boolean;
  onYes: () => Promise<void>;
  onClose: () => void;
}

/** A question in a native dialog: focus is kept inside, Escape closes it. */
export function Ask({ title, children, action, danger = false, onYes, onClose }: AskProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const { run, busy, error } = useAction(onYes);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby={titleId} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        <h2 id={titleId}>{title}</h2>
        {children}
        <Failure error={error} />
        <div class="row end">
          <button class="button quiet" type="button" onClick={() => dialog.current?.close()}>
            Keep it as it is
          </button>
          <button class={danger ? "button danger" : "button"} type="submit" disabled={busy}>
            {action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
