// The scene alone, for a frame in another site: no header, no numbers, one link to its own page.
// Needs no session and offers no change.
import { api, sharedSource } from "../../api/api.ts";
import { useLoad } from "../../api/use-load.ts";
import { SHARING } from "../../texts/sharing.ts";
import { Notice, Trouble, Wait } from "../common/notices.tsx";
import { useTitle } from "../common/parts.tsx";
import { SceneStage } from "./scene-view.tsx";
import { isGone } from "./shared.tsx";

import "./player.css";

export function Player({ token }: { token: string }) {
  const { value: project, error } = useLoad(() => api.shared(token), [token]);
  useTitle(project?.name ?? "Splat");
  if (error && isGone(error)) return <main class="player-note"><Notice title={SHARING.gone} lead={SHARING.goneLead} /></main>;
  if (error) return <main class="player-note"><Trouble error={error} again={() => location.reload()} /></main>;
  if (!project) return <main class="player-note"><Wait /></main>;
  return (
    <main class="player">
      <h1 class="unseen">{project.name}</h1>
      <SceneStage project={project} source={sharedSource(token)} />
      <a class="player-name" href={`/s/${token}`} target="_blank" rel="noopener" aria-label={SHARING.openInApp(project.name)}>
        {project.name}
      </a>
    </main>
  );
}
