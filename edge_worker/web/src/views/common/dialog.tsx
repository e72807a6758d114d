// Native dialogs: focus is kept inside, Escape closes them.
// Never open on their own: whoever draws one has been asked to.
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
  /** Danger is coloured, and never the default button. */
  danger?: boolean;
  onYes: () => Promise<void>;
  onClose: () => void;
}

/** A question, with a button that acts and one that does not. */
export function Ask({ title, children, action, danger = false, onYes, onClose }: AskProps) {
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
              Keep it as it is
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
