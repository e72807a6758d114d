// Share links, for people without a session: create, copy, revoke.
// The server returns a link's address only once, when it is created.
import { useState } from "preact/hooks";

import type { ListedShare, Share } from "../../../../shared/contracts/api.ts";
import { api } from "../../api/api.ts";
import { useLoad } from "../../api/use-load.ts";
import { frameCode } from "../../../../shared/frame-code.ts";
import { day } from "../../lib/format.ts";
import { SHARING } from "../../texts/sharing.ts";
import { Ask } from "../common/dialog.tsx";
import { Failure, useAction } from "../common/parts.tsx";
import { Copy, LinkField } from "./link-field.tsx";
import { QrCode } from "./qr-code.tsx";

import "./links.css";

const DAY_S = 86_400;
const EXPIRIES: readonly { label: string; seconds: number | null }[] = [
  { label: SHARING.in7Days, seconds: 7 * DAY_S },
  { label: SHARING.in30Days, seconds: 30 * DAY_S },
  { label: SHARING.never, seconds: null },
];
const EMBEDDINGS = ["any", "some", "none"] as const;
type Embedding = (typeof EMBEDDINGS)[number];
const EMBEDDING_WORDS: Readonly<Record<Embedding, string>> = { any: SHARING.anySite, some: SHARING.someSites, none: SHARING.noSite };

/** Origins, from what people paste: a line each, with or without a path. */
export function sitesIn(text: string): string[] {
  const lines = text.split(/\s+/).filter((line) => line !== "");
  return [...new Set(lines.map((line) => (URL.canParse(line) && /^https?:/.test(line) && !line.includes("*") ? new URL(line).origin : line.replace(/\/+$/, ""))))];
}

export function Sharing({ projectId, name }: { projectId: string; name: string }) {
  const [expiry, setExpiry] = useState(0);
  const [embedding, setEmbedding] = useState<Embedding>("any");
  const [sites, setSites] = useState("");
  const listed = useLoad(() => api.shares(projectId), [projectId]);
  const [made, setMade] = useState<readonly Share[]>([]);
  const [revoked, setRevoked] = useState<readonly string[]>([]);
  const create = useAction(async () => {
    const embed = { any: [], some: sitesIn(sites), none: null }[embedding];
    const link = await api.share(projectId, EXPIRIES[expiry]?.seconds ?? null, embed);
    setMade((all) => [link, ...all]);
  });
  // A link created while the list was loading is in both. Only the created one has its address.
  const older = listed.value?.shares.filter(({ id }) => made.every((one) => one.id !== id)) ?? [];
  const shares = [...made, ...older].filter(({ id }) => !revoked.includes(id));
  return (
    <section class="stack tight" aria-labelledby="sharing-title">
      <h2 id="sharing-title">{SHARING.title}</h2>
      <p class="small">{SHARING.lead}</p>
      <div class="row">
        <label class="inline">
          <span>{SHARING.expires}</span>
          <select value={expiry} onChange={({ currentTarget }) => setExpiry(Number(currentTarget.value))}>
            {EXPIRIES.map(({ label }, i) => (
              <option key={label} value={i}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label class="inline">
          <span>{SHARING.embedding}</span>
          <select value={embedding} onChange={({ currentTarget }) => setEmbedding(currentTarget.value as Embedding)}>
            {EMBEDDINGS.map((one) => (
              <option key={one} value={one}>
                {EMBEDDING_WORDS[one]}
              </option>
            ))}
          </select>
        </label>
      </div>
      {embedding === "some" ? (
        <label class="field">
          <span>{SHARING.sites}</span>
          <textarea rows={3} placeholder={SHARING.sitesExample} value={sites} onInput={({ currentTarget }) => setSites(currentTarget.value)} />
        </label>
      ) : null}
      <div class="row">
        <button class="button quiet" type="button" disabled={create.busy || (embedding === "some" && sitesIn(sites).length === 0)} onClick={create.run}>
          {SHARING.create}
        </button>
      </div>
      <Failure error={create.error ?? listed.error} />
      {shares.length > 0 ? (
        <ul class="lines shares">
          {shares.map((share) => (
            <ShareLine key={share.id} projectId={projectId} name={name} share={share} onRevoked={() => setRevoked((all) => [...all, share.id])} />
          ))}
        </ul>
      ) : null}
    </section>
  );
}

interface ShareLineProps {
  projectId: string;
  name: string;
  share: ListedShare | Share;
  onRevoked: () => void;
}

function ShareLine({ projectId, name, share, onRevoked }: ShareLineProps) {
  const [asking, setAsking] = useState(false);
  const revoke = async (): Promise<void> => {
    await api.revoke(projectId, share.id);
    onRevoked();
  };
  const [open, setOpen] = useState<"qr" | "embed" | null>(null);
  const toggle = (what: "qr" | "embed"): void => setOpen(open === what ? null : what);
  const url = "url" in share ? share.url : null;
  const frame = "url" in share && share.embed_url !== null ? frameCode(share.embed_url, name) : null;
  return (
    <li>
      {url ? <LinkField label={SHARING.link} url={url} /> : <span class="share-lost">{SHARING.lost("created_at" in share ? day(share.created_at) : "")}</span>}
      <span class="small">
        {[share.expires_at ? SHARING.expiresOn(day(share.expires_at)) : SHARING.neverExpires, "views" in share ? SHARING.views(share.views) : null, SHARING.embeds(share.embed)].filter((part) => part !== null).join(" · ")}
      </span>
      <span class="row links">
        {url ? (
          <>
            <Copy text={url} />
            <button class="button text" type="button" aria-expanded={open === "qr"} onClick={() => toggle("qr")}>
              {SHARING.qr}
            </button>
          </>
        ) : null}
        {frame ? (
          <button class="button text" type="button" aria-expanded={open === "embed"} onClick={() => toggle("embed")}>
            {SHARING.embed}
          </button>
        ) : null}
        <button class="button text bad" type="button" onClick={() => setAsking(true)}>
          {SHARING.revoke}
        </button>
      </span>
      {url && open === "qr" ? <QrCode text={url} /> : null}
      {frame && open === "embed" ? (
        <span class="row links">
          <LinkField label={SHARING.embedCode} url={frame} />
          <Copy text={frame} />
        </span>
      ) : null}
      {asking ? (
        <Ask title={SHARING.revokeTitle} action={SHARING.revokeAction} keep={SHARING.keep} danger onClose={() => setAsking(false)} onYes={revoke}>
          <p>{SHARING.revokeText}</p>
        </Ask>
      ) : null}
    </li>
  );
}
