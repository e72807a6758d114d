// Pages of text only: signed out, server trouble, not found.
// Never asks for a password: people sign in with a one-time link.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import type { ApiError } from "../../api/api.ts";
import { Link } from "./parts.tsx";

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
    <Notice
      title={expired ? "This sign-in link no longer works." : "You are not signed in."}
      lead={expired ? "A sign-in link works once, within ten minutes. Here is how to get a new one." : "There is no password. Whoever runs this service can send you a sign-in link."}
    >
      <ol class="ways">
        <li>
          <h2>If you run this service</h2>
          <p>Run this command in the repository folder. It opens the app and signs this browser in.</p>
          <p>
            <code class="command">.venv/bin/splat open</code>
          </p>
        </li>
        <li>
          <h2>If somebody else runs it</h2>
          <p>Ask them for a sign-in link. It works once, within ten minutes.</p>
        </li>
      </ol>
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
