// A one-time link that signs another device in, above all the phone that takes the photos.
// Never keeps the link: closing the dialog forgets it.
import { api } from "../../api/api.ts";
import { useLoad } from "../../api/use-load.ts";
import { Dialog } from "../common/dialog.tsx";
import { Failure } from "../common/parts.tsx";
import { Copy, LinkField } from "./link-field.tsx";
import { QrCode } from "./qr-code.tsx";

/** Names of this very machine: no other device finds it by them. */
const OWN_NAMES = new Set(["localhost", "127.0.0.1", "[::1]"]);

export function Invite({ onClose }: { onClose: () => void }) {
  const { value: link, error } = useLoad(api.loginLink, []);
  return (
    <Dialog title="Sign in another device" onClose={onClose}>
      {(close) => (
        <>
          <p>Point a phone's camera at this, or send the link. It works once, for ten minutes, and lets that device do all that you may do.</p>
          <Failure error={error} />
          <QrCode text={link?.url ?? null} />
          {link ? <LinkField label="Sign-in link" url={link.url} /> : null}
          {link && OWN_NAMES.has(new URL(link.url).hostname) ? <p class="small">This address is known on this computer only: other devices cannot reach it.</p> : null}
          <div class="row end">
            {link ? <Copy text={link.url} /> : null}
            <button class="button" type="button" onClick={close}>
              Done
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}
