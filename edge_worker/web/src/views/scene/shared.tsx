// What a share link shows: one scene, to look at.
// Never asks for a session and never offers a change.
import { useEffect, useState } from "preact/hooks";

import { asApiError } from "../../api/account.ts";
import { api, sharedSource, type ApiError } from "../../api/api.ts";
import type { Project } from "../../contract.ts";
import { photoNames } from "../../scene/photo-names.ts";
import { Trouble } from "../common/notices.tsx";
import { SceneView } from "./scene.tsx";

export function Shared({ token }: { token: string }) {
  const [project, setProject] = useState<Project | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [tries, setTries] = useState(0);
  useEffect(() => {
    let stopped = false;
    api.shared(token).then(
      (fresh) => {
        if (stopped) return;
        setProject(fresh);
        setError(null);
        document.title = `${fresh.name} · Splat`;
      },
      (failure: unknown) => stopped || setError(asApiError(failure)),
    );
    return () => {
      stopped = true;
    };
  }, [token, tries]);
  if (error && [400, 401, 403, 404, 410].includes(error.status)) {
    return (
      <section class="notice">
        <h1>This link leads nowhere.</h1>
        <p class="lead">It has expired or was revoked. Ask whoever sent it for a new one.</p>
      </section>
    );
  }
  if (error) return <Trouble error={error} again={() => setTries(tries + 1)} />;
  if (!project) return <p class="quiet wait" role="status">One moment…</p>;
  return (
    <article class="scene shared">
      <SceneView project={project} source={sharedSource(token)} names={photoNames([])} />
    </article>
  );
}
