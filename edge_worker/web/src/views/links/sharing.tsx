// Links for people without an account: create, copy, revoke.
// Never shows a link's secret again unless the server does.
import { useEffect, useState } from "preact/hooks";

import { asApiError } from "../../api/account.ts";
import { api, type ApiError } from "../../api/api.ts";
import type { ListedShare } from "../../contract.ts";
import { day } from "../../lib/format.ts";
import { Copy, Failure, useAction } from "../common/parts.tsx";
import { QrCode } from "./qr-code.tsx";

const DAY_S = 86_400;
const LASTS: readonly { label: string; seconds: number | null }[] = [
  { label: "a week", seconds: 7 * DAY_S },
  { label: "30 days", seconds: 30 * DAY_S },
  { label: "until revoked", seconds: null },
];

export function Sharing({ projectId }: { projectId: string }) {
  const [shares, setShares] = useState<readonly ListedShare[]>([]);
  const [lasts, setLasts] = useState(0);
  const [loadError, setLoadError] = useState<ApiError | null>(null);
  useEffect(() => {
    let stopped = false;
    api.shares(projectId).then(
      // One that was created while the list was on its way stays, with its address.
      ({ shares: listed }) => stopped || setShares((made) => [...made, ...listed.filter(({ id }) => made.every((one) => one.id !== id))]),
      (error: unknown) => stopped || setLoadError(asApiError(error)),
    );
    return () => {
      stopped = true;
    };
  }, [projectId]);
  const create = useAction(async () => {
    const made = await api.share(projectId, LASTS[lasts]?.seconds ?? null);
    setShares((all) => [made, ...all]);
  });
  return (
    <section class="sharing" aria-labelledby="sharing-title">
      <h2 id="sharing-title">Share</h2>
      <p class="small">Whoever has a link can look at this scene, and nothing else.</p>
      <div class="row">
        <label class="inline">
          <span>Good for</span>
          <select value={lasts} onChange={({ currentTarget }) => setLasts(Number(currentTarget.value))}>
            {LASTS.map(({ label }, i) => (
              <option key={label} value={i}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <button class="button quiet" type="button" disabled={create.busy} onClick={create.run}>
          Create a link
        </button>
      </div>
      <Failure error={create.error ?? loadError} />
      {shares.length > 0 ? (
        <ul class="shares">
          {shares.map((share) => (
            <ShareLine key={share.id} projectId={projectId} share={share} onRevoked={() => setShares((all) => all.filter(({ id }) => id !== share.id))} />
          ))}
        </ul>
      ) : null}
    </section>
  );
}

function ShareLine({ projectId, share, onRevoked }: { projectId: string; share: ListedShare; onRevoked: () => void }) {
  const revoke = useAction(async () => {
    await api.revoke(projectId, share.id);
    onRevoked();
  });
  const [drawn, setDrawn] = useState(false);
  const url = share.url ? new URL(share.url, location.href).href : null;
  return (
    <li>
      {url ? <input class="share-url" type="text" readOnly value={url} aria-label="Share link" onFocus={({ currentTarget }) => currentTarget.select()} /> : <span>{share.created_at ? `Link of ${day(share.created_at)}` : "A link"}, its address was shown once</span>}
      <span class="small">{share.expires_at ? `until ${day(share.expires_at)}` : "until revoked"}</span>
      <span class="share-actions">
        {url ? (
          <>
            <Copy text={url} />
            <button class="button text" type="button" aria-expanded={drawn} onClick={() => setDrawn(!drawn)}>
              QR code
            </button>
          </>
        ) : null}
        <button class="button text bad" type="button" disabled={revoke.busy} onClick={revoke.run}>
          Revoke
        </button>
      </span>
      {url && drawn ? <QrCode text={url} /> : null}
      <Failure error={revoke.error} />
    </li>
  );
}
