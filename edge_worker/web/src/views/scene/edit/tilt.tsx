// Sets the scene upright: two sliders that lean it in the viewer.
import { useEffect, useState } from "preact/hooks";

import { ApiError } from "../../../api/api.ts";
import { EDIT } from "../../../texts/edit.ts";
import { Slider } from "./slider.tsx";
import { Tool, type ToolProps } from "./tool.tsx";

const TILT_MAX_DEG = 90;

export function Tilt({ handle, edit, onSave, onCancel }: ToolProps) {
  const [forward, setForward] = useState(0);
  const [sideways, setSideways] = useState(0);
  useEffect(() => void handle.current?.tilt(forward, sideways), [forward, sideways]);
  const cancel = (): void => {
    handle.current?.tilt(0, 0);
    onCancel();
  };
  const save = (): Promise<void> => {
    const up = handle.current?.tilt(forward, sideways) ?? null;
    if (up === null) throw new ApiError(0, "NO_PICTURE", EDIT.noPicture);
    return onSave({ ...edit, up });
  };
  const slider = { min: -TILT_MAX_DEG, max: TILT_MAX_DEG, step: 1 };
  return (
    <Tool title={EDIT.setUp} onSave={async () => save()} onCancel={cancel}>
      <Slider label={EDIT.tiltForward} value={forward} words={EDIT.degrees(forward)} onValue={setForward} {...slider} />
      <Slider label={EDIT.tiltSideways} value={sideways} words={EDIT.degrees(sideways)} onValue={setSideways} {...slider} />
    </Tool>
  );
}
