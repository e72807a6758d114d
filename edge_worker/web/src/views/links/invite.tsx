// A one-time link that signs in another device, such as the phone that takes the photos.
// Never stores the link: closing the dialog forgets it.
import { api } from "../../api/api.ts";
import { useLoad } from "../../api/use-load.ts";
import { Dialog } from "../common/dialog.tsx";
import { Failure } from "../common/parts.tsx";
import { Copy, LinkField } from "./link-field.tsx";
import { QrCode } from "./qr-code.tsx";

/** Names of this computer that other devices cannot resolve to it. */
const OWN_NAMES = new Set(["localhost", "127.0.0.1", "[::1]"]);

export function Invite({ onClose }: { onClose: () => void }) {
  const { value: link, error } = useLoad(api.loginLink, []);
  return (
    <Dialog title="Sign in another device" onClose={onClose}>
      {(close) => (
        <>
          <p>Scan the code with the other device, or send it the sign-in link. The link works once, within ten minutes, and gives the same access as yours.</p>
          <Failure error={error} />
          <QrCode text={link?.url ?? null} />
          {link ? <LinkField label="Sign-in link" url={link.url} /> : null}
          {link && OWN_NAMES.has(new URL(link.url).hostname) ? <p class="small">This address works only on this computer. Other devices cannot reach it.</p> : null}
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
