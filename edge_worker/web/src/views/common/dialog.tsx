// Native dialogs: focus stays inside, and Escape closes them.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

import { Failure, useAction } from "./parts.tsx";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: (close: () => void) => ComponentChildren;
}

export function Dialog({ title, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby={titleId} onClose={onClose}>
      <h2 id={titleId}>{title}</h2>
      {children(() => dialog.current?.close())}
    </dialog>
  );
}

interface AskProps {
  title: string;
  children: ComponentChildren;
  action: string;
  /** The button that changes nothing. */
  keep?: string;
  /** Colours the action as destructive. */
  danger?: boolean;
  onYes: () => Promise<void>;
  onClose: () => void;
}

/** Asks before an action, with one button that acts and one that closes the dialog. */
export function Ask({ title, children, action, keep = "Go back", danger = false, onYes, onClose }: AskProps) {
  const { run, busy, error } = useAction(onYes);
  return (
    <Dialog title={title} onClose={onClose}>
      {(close) => (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            run();
          }}
        >
          {children}
          <Failure error={error} />
          <div class="row end">
            <button class="button quiet" type="button" onClick={close}>
              {keep}
            </button>
            <button class={danger ? "button danger" : "button"} type="submit" disabled={busy}>
              {action}
            </button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
