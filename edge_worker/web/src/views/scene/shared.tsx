// What a share link shows: one scene, to view.
// Needs no session and offers no change.
import { useState } from "preact/hooks";

import { api, sharedSource, type ApiError } from "../../api/api.ts";
import { useLoad } from "../../api/use-load.ts";
import { photoNames } from "../../scene/photo-names.ts";
import { SHARING } from "../../texts/sharing.ts";
import { Notice, Trouble, Wait } from "../common/notices.tsx";
import { useTitle } from "../common/parts.tsx";
import { SceneView } from "./scene-view.tsx";

/** Statuses that mean that the link itself is invalid. */
const GONE = [400, 401, 403, 404, 410];

export const isGone = ({ status }: ApiError): boolean => GONE.includes(status);

export function Shared({ token }: { token: string }) {
  const [tries, setTries] = useState(0);
  const { value: project, error } = useLoad(() => api.shared(token), [token, tries]);
  useTitle(project ? `${project.name} · Splat` : "Splat");
  if (error && isGone(error)) return <Notice title={SHARING.gone} lead={SHARING.goneLead} />;
  if (error) return <Trouble error={error} again={() => setTries(tries + 1)} />;
  if (!project) return <Wait />;
  return (
    <article class="stack scene">
      <SceneView project={project} source={sharedSource(token)} names={photoNames([])} />
    </article>
  );
}
