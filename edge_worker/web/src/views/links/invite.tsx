// A one-time link that signs another device in, above all the phone that takes the photos.
// Never keeps the link: closing the dialog forgets it.
import { useEffect, useId, useRef, useState } from "preact/hooks";

import { asApiError } from "../../api/account.ts";
import { api, type ApiError } from "../../api/api.ts";
import type { LoginLink } from "../../contract.ts";
import { Copy, Failure } from "../common/parts.tsx";
import { QrCode } from "./qr-code.tsx";

/** Names of this very machine: no other device finds it by them. */
const OWN_NAMES = new Set(["localhost", "127.0.0.1", "[::1]"]);

export function Invite({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const [link, setLink] = useState<LoginLink | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    dialog.current?.showModal();
    api.loginLink().then(setLink, (failure: unknown) => setError(asApiError(failure)));
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={titleId} onClose={onClose}>
      <div class="invite">
        <h2 id={titleId}>Sign in another device</h2>
        <p>Point a phone's camera at this, or send the link. It works once, for ten minutes, and lets that device do all that you may do.</p>
        <Failure error={error} />
        <QrCode text={link?.url ?? null} />
        {link ? (
          <>
            <input type="text" readOnly value={link.url} aria-label="Sign-in link" onFocus={({ currentTarget }) => currentTarget.select()} />
            {OWN_NAMES.has(new URL(link.url).hostname) ? <p class="small">This address is known on this computer only: other devices cannot reach it.</p> : null}
          </>
        ) : null}
        <div class="row end">
          {link ? <Copy text={link.url} /> : null}
          <button class="button" type="button" onClick={() => dialog.current?.close()}>
            Done
          </button>
        </div>
      </div>
    </dialog>
  );
}
