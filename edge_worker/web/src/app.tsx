// The frame around every page: access, routing, sign-out.
// Never shows a project's data itself.
import { useEffect, useRef, useState } from "preact/hooks";

import type { Session } from "../../shared/contracts/api.ts";
import { account, loadAccount, may } from "./api/account.ts";
import { api } from "./api/api.ts";
import { intake } from "./intake/intake.ts";
import { followLocally, useRoute, type Route } from "./lib/router.ts";
import { outdated } from "./lib/lazy.ts";
import { useStore } from "./lib/store.ts";
import { Boundary } from "./views/common/boundary.tsx";
import { later } from "./views/common/later.tsx";
import { Mark } from "./views/common/mark.tsx";
import { Missing, Notice, SignedOut, Trouble, Wait } from "./views/common/notices.tsx";
import { Failure, Link, useAction } from "./views/common/parts.tsx";
import { Home, forgetScenes } from "./views/home/home.tsx";
import { Invite } from "./views/links/invite.tsx";
import { Review } from "./views/new/review.tsx";
import { ProjectPage } from "./views/project/project.tsx";

const OperationsPage = later(async () => (await import("./views/operations/operations.tsx")).OperationsPage);
const Player = later(async () => (await import("./views/scene/player.tsx")).Player);
const Shared = later(async () => (await import("./views/scene/shared.tsx")).Shared);

export function App() {
  const route = useRoute();
  useFocusOnMove(route);
  if (route.page === "player") return <Player key={route.token} token={route.token} />;
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <header class="top">
        <a class="brand" href="/" onClick={followLocally}>
          <Mark />
          <span>splat</span>
        </a>
      </header>
      <main id="main" tabIndex={-1}>
        <Outdated />
        <Boundary>
          {route.page === "shared" ? <Shared key={route.token} token={route.token} /> : route.page === "missing" ? <Missing /> : <Members />}
        </Boundary>
      </main>
    </>
  );
}

/** Only a reload gets the files of a newer version. */
function Outdated() {
  if (!useStore(outdated)) return null;
  return (
    <div class="strip row" role="alert">
      <span>A part of the app could not be loaded. There may be a newer version.</span>
      <button class="button quiet" type="button" onClick={() => location.reload()}>
        Reload
      </button>
    </div>
  );
}

/** After a move to another page, the keyboard and screen readers start at its content. */
function useFocusOnMove(route: Route): void {
  const first = useRef(true);
  const where = JSON.stringify(route);
  useEffect(() => {
    if (!first.current) document.getElementById("main")?.focus({ preventScroll: true });
    first.current = false;
  }, [where]);
}

/** The pages that need a session. */
function Members() {
  const state = useStore(account);
  const route = useRoute();
  useEffect(() => void loadAccount(), []);
  useEffect(() => {
    // Retries once the device is back online.
    const again = (): void => void (account.get().is === "error" && loadAccount());
    addEventListener("online", again);
    return () => removeEventListener("online", again);
  }, []);
  switch (state.is) {
    case "loading":
      return <Wait />;
    case "out":
      return <SignedOut />;
    case "error":
      return <Trouble error={state.error} again={() => void loadAccount()} />;
    case "in":
      if (route.page === "new") return <Review session={state.session} settings={state.settings} />;
      if (route.page === "project") return <ProjectPage key={route.id} id={route.id} session={state.session} settings={state.settings} />;
      if (route.page === "operations") return <Operations session={state.session} />;
      return (
        <>
          <Home session={state.session} settings={state.settings} />
          <SignedIn session={state.session} />
        </>
      );
  }
}

/** For operators. */
function Operations({ session }: { session: Session }) {
  if (!may(session, "operate")) return <Notice title="This page is for operators." lead="Your sign-in link does not include this access. Ask whoever runs this service for another one." />;
  return <OperationsPage />;
}

function SignedIn({ session }: { session: Session }) {
  const [inviting, setInviting] = useState(false);
  const signOut = useAction(async () => {
    await api.signOut();
    // The next person at this device must not find the photos.
    intake.clear();
    forgetScenes();
    account.set({ is: "out" });
  });
  return (
    <footer class="foot fine">
      <p class="row links">
        Signed in as {session.name}.
        {may(session, "operate") ? (
          <>
            <Link class="button text" href="/operations">
              Operations
            </Link>
            <button class="button text" type="button" onClick={() => setInviting(true)}>
              Sign in another device
            </button>
          </>
        ) : null}
        <button class="button text" type="button" disabled={signOut.busy} onClick={signOut.run}>
          Sign out
        </button>
      </p>
      <Failure error={signOut.error} />
      {inviting ? <Invite onClose={() => setInviting(false)} /> : null}
    </footer>
  );
}
