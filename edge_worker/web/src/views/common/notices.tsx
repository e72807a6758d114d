// Pages of text only: signed out, server trouble, not found.
// Never asks for a password: people sign in with a one-time link.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import type { ApiError } from "../../api/api.ts";
import { SIGNED_OUT } from "../../texts/notices.ts";
import { Link } from "./parts.tsx";
import { Ring } from "./ring.tsx";

interface NoticeProps {
  title: string;
  lead: string;
  /** Announced at once by screen readers. */
  alert?: boolean;
  children?: ComponentChildren;
}

export function Notice({ title, lead, alert = false, children }: NoticeProps) {
  return (
    <section class="notice" role={alert ? "alert" : undefined}>
      <h1>{title}</h1>
      <p class="lead">{lead}</p>
      {children}
    </section>
  );
}

export function Wait() {
  return (
    <p class="quiet wait" role="status">
      Loading…
    </p>
  );
}

export function SignedOut() {
  // The server redirects here from an expired or used sign-in link.
  const [expired] = useState(() => new URLSearchParams(location.search).get("login") === "expired");
  return (
    <Notice title={expired ? SIGNED_OUT.expired : SIGNED_OUT.title} lead={expired ? SIGNED_OUT.expiredLead : SIGNED_OUT.lead}>
      <div class="what-it-is">
        <Ring count={24} lit={24} />
        <ol class="ways">
          {SIGNED_OUT.what.map(({ title, words }) => (
            <li key={title}>
              <h2>{title}</h2>
              <p>{words}</p>
            </li>
          ))}
        </ol>
      </div>
      <div class="stack tight panel">
        <h2>{SIGNED_OUT.in}</h2>
        <p>{SIGNED_OUT.ask}</p>
        <details>
          <summary>{SIGNED_OUT.own}</summary>
          <p>{SIGNED_OUT.ownLead}</p>
          <p>
            <code class="command">.venv/bin/splat open</code>
          </p>
        </details>
      </div>
    </Notice>
  );
}

export function Trouble({ error, again }: { error: ApiError; again: () => void }) {
  const offline = error.status === 0 && !navigator.onLine;
  return (
    <Notice alert title={offline ? "You are offline." : "The service is not responding."} lead={offline ? "Your scenes are safe on the server. They appear again once you are online." : error.message}>
      {!offline && error.hint ? <p>{error.hint}</p> : null}
      <p>
        <button class="button" type="button" onClick={again}>
          Try again
        </button>
      </p>
    </Notice>
  );
}

export function Missing({ what = "Page" }: { what?: string }) {
  return (
    <Notice title={`${what} not found.`} lead="It may have been deleted, or the address is incomplete.">
      <p>
        <Link class="button" href="/">
          Go to your scenes
        </Link>
      </p>
    </Notice>
  );
}
