// Cuts the scene to a box or a ball, or cuts that out of it. What goes is red until it is saved.
import { useEffect, useState } from "preact/hooks";

import { FIRST, cropOf, type Sliders } from "../../../scene/edit/shapes.ts";
import { ApiError } from "../../../api/api.ts";
import { EDIT } from "../../../texts/edit.ts";
import { Slider } from "./slider.tsx";
import { Choice, Tool, type ToolProps } from "./tool.tsx";

/** The subject is 2 units wide. Sizes go a little beyond the farthest camera. */
const SUBJECT = 2;
const SIZE_MIN = 0.1;
const SIZE_OF_REACH = 2.4;
const SIZE_MAX_ELSE = 10;
const STEP = 0.02;
const SOFT_MAX = 0.5;
const YAW_MAX_DEG = 90;

const BOX: readonly (keyof Sliders & ("width" | "height" | "depth"))[] = ["width", "height", "depth"];
const PLACE: readonly (keyof Sliders & ("right" | "up" | "ahead"))[] = ["right", "up", "ahead"];

export function CropTool({ handle, edit, onSave, onCancel }: ToolProps) {
  const [sliders, setSliders] = useState<Sliders>(FIRST);
  const reach = handle.current?.reach() ?? null;
  const sizeMax = reach === null ? SIZE_MAX_ELSE : Math.max(4, Math.ceil(reach * SIZE_OF_REACH));
  const draft = (): ReturnType<typeof cropOf> | null => {
    const upright = handle.current?.upright();
    return upright === undefined ? null : cropOf(sliders, upright);
  };
  useEffect(() => {
    const crop = draft();
    if (crop !== null) handle.current?.hide({ ...edit, draft: crop });
  }, [sliders, edit]);
  useEffect(() => () => handle.current?.hide(edit), []);
  const save = async (): Promise<void> => {
    const crop = draft();
    if (crop === null) throw new ApiError(0, "NO_PICTURE", EDIT.noPicture);
    await onSave({ ...edit, crops: [...edit.crops, crop] });
  };
  const change = (part: Partial<Sliders>): void => setSliders((now) => ({ ...now, ...part }));
  const size = (key: (typeof BOX)[number] | "radius", label: string, scale: number) => (
    <Slider key={key} label={label} value={sliders[key] * scale} min={SIZE_MIN} max={sizeMax} step={STEP} words={EDIT.percent((sliders[key] * scale) / SUBJECT)} onValue={(value) => change({ [key]: value / scale })} />
  );
  return (
    <Tool title={EDIT.crop} onSave={save} onCancel={onCancel}>
      <p class="small">{EDIT.cropLead}</p>
      <div class="choices">
        <Choice legend={EDIT.shape} name="shape" value={sliders.shape} options={EDIT.shapes} onValue={(shape) => change({ shape })} />
        <Choice legend={EDIT.keep} name="keep" value={sliders.keep} options={EDIT.keeps} onValue={(keep) => change({ keep })} />
      </div>
      {sliders.shape === "box" ? BOX.map((key) => size(key, EDIT.sizes[key], 1)) : size("radius", EDIT.sizes.diameter, 2)}
      <details>
        <summary>{EDIT.place}</summary>
        <div class="stack tight">
          {PLACE.map((key) => (
            <Slider key={key} label={EDIT.places[key]} value={sliders[key]} min={-sizeMax / 2} max={sizeMax / 2} step={STEP} words={EDIT.percent(sliders[key] / SUBJECT)} onValue={(value) => change({ [key]: value })} />
          ))}
          {sliders.shape === "box" ? <Slider label={EDIT.yaw} value={sliders.yaw} min={-YAW_MAX_DEG} max={YAW_MAX_DEG} step={1} words={EDIT.degrees(sliders.yaw)} onValue={(yaw) => change({ yaw })} /> : null}
          <Slider label={EDIT.soft} value={sliders.soft} min={0} max={SOFT_MAX} step={STEP} words={EDIT.percent(sliders.soft / SUBJECT)} onValue={(soft) => change({ soft })} />
        </div>
      </details>
    </Tool>
  );
}
