// What the page of every state of a project is given.
// A type and nothing else: the pages import it, and the one that chooses among them.
import type { Settings } from "../../../../shared/contracts/api.ts";
import type { Project } from "../../../../shared/contracts/project.ts";

export interface StateProps {
  project: Project;
  settings: Settings;
  mayUpload: boolean;
  mayOperate: boolean;
  /** Show this newer form of the project now. */
  onProject: (project: Project) => void;
}
