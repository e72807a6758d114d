// The props of the page of each project state.
import type { Settings } from "../../../../shared/contracts/api.ts";
import type { Project } from "../../../../shared/contracts/project.ts";

export interface StateProps {
  project: Project;
  settings: Settings;
  mayUpload: boolean;
  mayOperate: boolean;
  /** Shows this newer version of the project now. */
  onProject: (project: Project) => void;
}
