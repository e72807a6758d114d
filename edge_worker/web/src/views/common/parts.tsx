// Small parts that several pages use: links, failures, actions, explained numbers, progress bars.
// Never fetches.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useState } from "preact/hooks";

import { PROJECT_NAME_LENGTH_MAX } from "../../../../shared/limits.ts";
import { noticeFailure } from "../../api/account.ts";
import type { ApiError } from "../../api/api.ts";
import { followLocally } from "../../lib/router.ts";

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title;
  }, [title]);
}

export function Link({ href, children, ...rest }: JSX.IntrinsicElements["a"] & { href: string }) {
  return (
    <a href={href} onClick={followLocally} {...rest}>
      {children}
    </a>
  );
}

/** What failed and what to do next, announced at once by screen readers. */
export function Failure({ error }: { error: { message: string; hint?: string | null | undefined } | null }) {
  if (!error) return null;
  return (
    <div class="failure" role="alert">
      <p>{error.message}</p>
      {error.hint ? <p class="hint">{error.hint}</p> : null}
    </div>
  );
}

/** An action that calls the server, whether it is running, and why it failed. */
export function useAction(action: () => Promise<void>): { run: () => void; busy: boolean; error: ApiError | null } {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const run = (): void => {
    if (busy) return;
    setBusy(true);
    setError(null);
    action()
      .catch((failure: unknown) => setError(noticeFailure(failure)))
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

export function NameField({ name, onName, required = false }: { name: string; onName: (name: string) => void; required?: boolean }) {
  return (
    <label class="field">
      <span>Name</span>
      <input type="text" required={required} pattern={required ? ".*\\S.*" : undefined} title={required ? "Enter a name" : undefined} maxLength={PROJECT_NAME_LENGTH_MAX} value={name} onInput={({ currentTarget }) => onName(currentTarget.value)} autocomplete="off" />
    </label>
  );
}

interface StatProps {
  label: string;
  value: ComponentChildren;
  /** A word or two beside the label. */
  note?: ComponentChildren;
  /** An explanation behind a question mark. */
  explain?: string;
}

/** A labelled number. Its explanation opens below it, also by touch and keyboard. */
export function Stat({ label, value, note, explain }: StatProps) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <div class="stat">
      <dt class="fine">
        {label}
        {explain ? (
          <button class="ask" type="button" aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
            <span aria-hidden="true">?</span>
            <span class="unseen">About {label}</span>
          </button>
        ) : null}
      </dt>
      <dd>
        <span class="value">{value}</span>
        {note ? <span class="fine">{note}</span> : null}
        {explain ? (
          <span class="explain small" id={id} hidden={!open}>
            {explain}
          </span>
        ) : null}
      </dd>
    </div>
  );
}
