// Removes floaters: small groups of Gaussians that hang apart. The slider says how large a group may be.
import { useEffect, useState } from "preact/hooks";

import { EDIT } from "../../../texts/edit.ts";
import { Slider } from "./slider.tsx";
import { Tool, type ToolProps } from "./tool.tsx";

const REACH_ELSE = 4;
const REACH_OF_CAMERAS = 1.1;
const FIRST_STRENGTH = 0.5;

export function CleanTool({ handle, edit, onSave, onCancel }: ToolProps) {
  const [strength, setStrength] = useState(edit.floaters?.strength ?? FIRST_STRENGTH);
  const next = () => {
    const reach = handle.current?.reach() ?? null;
    const rounded = reach === null ? REACH_ELSE : Math.round(reach * REACH_OF_CAMERAS * 1000) / 1000;
    return { ...edit, floaters: strength === 0 ? null : { strength, reach: rounded } };
  };
  useEffect(() => handle.current?.hide(next()), [strength, edit]);
  useEffect(() => () => handle.current?.hide(edit), []);
  return (
    <Tool title={EDIT.clean} onSave={() => onSave(next())} onCancel={onCancel}>
      <p class="small">{EDIT.cleanLead}</p>
      <Slider label={EDIT.strength} value={strength} min={0} max={1} step={0.05} words={strength === 0 ? EDIT.off : EDIT.percent(strength)} onValue={setStrength} />
    </Tool>
  );
}
