// Share links, for people without a session: create, copy, revoke.
// The server returns a link's address only once, when it is created.
import { useState } from "preact/hooks";

import type { ListedShare, Share } from "../../../../shared/contracts/api.ts";
import { api } from "../../api/api.ts";
import { useLoad } from "../../api/use-load.ts";
import { day } from "../../lib/format.ts";
import { Ask } from "../common/dialog.tsx";
import { Failure, useAction } from "../common/parts.tsx";
import { Copy, LinkField } from "./link-field.tsx";
import { QrCode } from "./qr-code.tsx";

import "./links.css";

const DAY_S = 86_400;
const EXPIRIES: readonly { label: string; seconds: number | null }[] = [
  { label: "in 7 days", seconds: 7 * DAY_S },
  { label: "in 30 days", seconds: 30 * DAY_S },
  { label: "never", seconds: null },
];

export function Sharing({ projectId }: { projectId: string }) {
  const [expiry, setExpiry] = useState(0);
  const listed = useLoad(() => api.shares(projectId), [projectId]);
  const [made, setMade] = useState<readonly Share[]>([]);
  const [revoked, setRevoked] = useState<readonly string[]>([]);
  const create = useAction(async () => {
    const link = await api.share(projectId, EXPIRIES[expiry]?.seconds ?? null);
    setMade((all) => [link, ...all]);
  });
  // A link created while the list was loading is in both. Only the created one has its address.
  const older = listed.value?.shares.filter(({ id }) => made.every((one) => one.id !== id)) ?? [];
  const shares = [...made, ...older].filter(({ id }) => !revoked.includes(id));
  return (
    <section class="stack tight" aria-labelledby="sharing-title">
      <h2 id="sharing-title">Share</h2>
      <p class="small">Anyone with a share link can view this scene, and nothing else.</p>
      <div class="row">
        <label class="inline">
          <span>Expires</span>
          <select value={expiry} onChange={({ currentTarget }) => setExpiry(Number(currentTarget.value))}>
            {EXPIRIES.map(({ label }, i) => (
              <option key={label} value={i}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <button class="button quiet" type="button" disabled={create.busy} onClick={create.run}>
          Create share link
        </button>
      </div>
      <Failure error={create.error ?? listed.error} />
      {shares.length > 0 ? (
        <ul class="lines shares">
          {shares.map((share) => (
            <ShareLine key={share.id} projectId={projectId} share={share} onRevoked={() => setRevoked((all) => [...all, share.id])} />
          ))}
        </ul>
      ) : null}
    </section>
  );
}

function ShareLine({ projectId, share, onRevoked }: { projectId: string; share: ListedShare | Share; onRevoked: () => void }) {
  const [asking, setAsking] = useState(false);
  const revoke = async (): Promise<void> => {
    await api.revoke(projectId, share.id);
    onRevoked();
  };
  const [drawn, setDrawn] = useState(false);
  const url = "url" in share ? share.url : null;
  return (
    <li>
      {url ? <LinkField label="Share link" url={url} /> : <span class="share-lost">Share link{"created_at" in share ? ` from ${day(share.created_at)}` : ""}. Its address was shown only once.</span>}
      <span class="small">{share.expires_at ? `Expires ${day(share.expires_at)}` : "Never expires"}</span>
      <span class="row links">
        {url ? (
          <>
            <Copy text={url} />
            <button class="button text" type="button" aria-expanded={drawn} onClick={() => setDrawn(!drawn)}>
              QR code
            </button>
          </>
        ) : null}
        <button class="button text bad" type="button" onClick={() => setAsking(true)}>
          Revoke
        </button>
      </span>
      {url && drawn ? <QrCode text={url} /> : null}
      {asking ? (
        <Ask title="Revoke this share link?" action="Revoke the link" keep="Keep it" danger onClose={() => setAsking(false)} onYes={revoke}>
          <p>People who have it can no longer view the scene. A revoked link cannot be restored.</p>
        </Ask>
      ) : null}
    </li>
  );
}
