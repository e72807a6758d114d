// A one-time link that signs in another device, such as the phone that takes the photos.
// Never stores the link: closing the dialog forgets it.
import { api } from "../../api/api.ts";
import { useLoad } from "../../api/use-load.ts";
import { LINKS } from "../../texts/sharing.ts";
import { Dialog } from "../common/dialog.tsx";
import { Failure } from "../common/parts.tsx";
import { Copy, LinkField } from "./link-field.tsx";
import { QrCode } from "./qr-code.tsx";

/** Names of this computer that other devices cannot resolve to it. */
const OWN_NAMES = new Set(["localhost", "127.0.0.1", "[::1]"]);

export function Invite({ onClose }: { onClose: () => void }) {
  const { value: link, error } = useLoad(api.loginLink, []);
  return (
    <Dialog title={LINKS.signIn} onClose={onClose}>
      {(close) => (
        <>
          <p>{LINKS.signInLead}</p>
          <Failure error={error} />
          <QrCode text={link?.url ?? null} />
          {link ? <LinkField label={LINKS.signInLink} url={link.url} /> : null}
          {link && OWN_NAMES.has(new URL(link.url).hostname) ? <p class="small">{LINKS.onlyHere}</p> : null}
          <div class="row end">
            {link ? <Copy text={link.url} /> : null}
            <button class="button" type="button" onClick={close}>
              {LINKS.done}
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}
