// The tools of the edit by name: one part of the app, loaded when the first of them is opened.
import { CleanTool } from "./clean.tsx";
import { CropTool } from "./crop.tsx";
import { Tilt } from "./tilt.tsx";

import "./edit.css";

export const TOOLS = { up: Tilt, crop: CropTool, clean: CleanTool } as const;
export type ToolName = keyof typeof TOOLS;
