// Pages that have nothing to show but words: signed out, server trouble, no such address.
// Never asks for a secret: people get in by a one-time link.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import type { ApiError } from "../../api/api.ts";
import { Link } from "./parts.tsx";

interface NoticeProps {
  title: string;
  lead: string;
  /** Read out at once by a screen reader. */
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
      One moment…
    </p>
  );
}

export function SignedOut() {
  // The worker leads here from a sign-in link that it does not take any more.
  const [expired] = useState(() => new URLSearchParams(location.search).get("login") === "expired");
  return (
    <Notice
      title={expired ? "That link does not work any more." : "You are not signed in."}
      lead={expired ? "A sign-in link works once, within ten minutes. Get a new one:" : "There is no password here. Whoever runs this service lets you in with a link that works once."}
    >
      <ol class="ways">
        <li>
          <h2>You run it yourself</h2>
          <p>In the folder of the repository, type this. It opens the page and signs this browser in.</p>
          <p>
            <code class="command">.venv/bin/splat open</code>
          </p>
        </li>
        <li>
          <h2>Somebody else runs it</h2>
          <p>Ask them for a sign-in link. It is good for ten minutes and for one browser.</p>
        </li>
      </ol>
    </Notice>
  );
}

export function Trouble({ error, again }: { error: ApiError; again: () => void }) {
  const offline = error.status === 0 && !navigator.onLine;
  return (
    <Notice alert title={offline ? "You are offline." : "The service does not answer."} lead={offline ? "Your scenes are on the server; they show up again with the connection." : error.message}>
      {!offline && error.hint ? <p>{error.hint}</p> : null}
      <p>
        <button class="button" type="button" onClick={again}>
          Try again
        </button>
      </p>
    </Notice>
  );
}

export function Missing({ what = "page" }: { what?: string }) {
  return (
    <Notice title={`There is no such ${what}.`} lead="It may have been deleted, or the address is not complete.">
      <p>
        <Link class="button" href="/">
          To the scenes
        </Link>
      </p>
    </Notice>
  );
}
