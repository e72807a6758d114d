// The frame around every page: who may see it, which one it is, how it is left and entered.
// Never shows a project's data itself.
import { useEffect } from "preact/hooks";

import { account, loadAccount } from "./account.ts";
import { followLocally, useRoute } from "./router.ts";
import { useStore } from "./store.ts";
import { Home } from "./views/home.tsx";
import { Mark } from "./views/mark.tsx";
import { Missing, SignedOut, Trouble } from "./views/notices.tsx";
import { ProjectPage } from "./views/project.tsx";
import { Review } from "./views/review.tsx";
import { Shared } from "./views/shared.tsx";

export function App() {
  const route = useRoute();
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="top">
        <a class="brand" href="/" onClick={followLocally}>
          <Mark />
          <span>splat</span>
        </a>
      </header>
      <main id="main" tabIndex={-1}>
        {route.page === "shared" ? <Shared key={route.token} token={route.token} /> : route.page === "missing" ? <Missing /> : <Members />}
      </main>
    </>
  );
}

/** The pages behind the session. */
function Members() {
  const state = useStore(account);
  const route = useRoute();
  useEffect(() => void loadAccount(), []);
  useEffect(() => {
    // Back online after an outage at the start: try again without being asked.
    const again = (): void => void (account.get().is === "error" && loadAccount());
    addEventListener("online", again);
    return () => removeEventListener("online", again);
  }, []);
  switch (state.is) {
    case "loading":
      return <p class="quiet wait" role="status">One moment…</p>;
    case "out":
      return <SignedOut />;
    case "error":
      return <Trouble error={state.error} again={() => void loadAccount()} />;
    case "in":
      if (route.page === "new") return <Review session={state.session} settings={state.settings} />;
      if (route.page === "project") return <ProjectPage key={route.id} id={route.id} session={state.session} settings={state.settings} />;
      return <Home session={state.session} settings={state.settings} />;
  }
}
