// The frame of one tool of the edit: its controls, Save and Cancel. On a phone it lies below the scene, which stays in sight.
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";

import type { Edit } from "../../../../../shared/contracts/edit.ts";
import type { OpenScene } from "../../../scene/viewer.ts";
import { EDIT } from "../../../texts/edit.ts";
import { Failure, useAction } from "../../common/parts.tsx";

/** What every tool gets. edit: the edit before this step. */
export interface ToolProps {
  handle: { readonly current: OpenScene | null };
  edit: Edit;
  onSave: (edit: Edit) => Promise<void>;
  onCancel: () => void;
}

interface Props {
  title: string;
  onSave: () => Promise<void>;
  onCancel: () => void;
  children: ComponentChildren;
}

export function Tool({ title, onSave, onCancel, children }: Props) {
  const save = useAction(onSave);
  useEffect(() => document.querySelector(".stage")?.scrollIntoView({ block: "nearest" }), []);
  return (
    <form
      class="stack tight tool"
      aria-label={title}
      onSubmit={(event) => {
        event.preventDefault();
        save.run();
      }}
    >
      <div class="stack tight tool-controls">{children}</div>
      <div class="row">
        <button class="button" type="submit" disabled={save.busy}>
          {EDIT.save}
        </button>
        <button class="button quiet" type="button" onClick={onCancel}>
          {EDIT.cancel}
        </button>
      </div>
      <Failure error={save.error} />
    </form>
  );
}

interface ChoiceProps<T extends string> {
  legend: string;
  name: string;
  value: T;
  options: readonly (readonly [T, string])[];
  onValue: (value: T) => void;
}

/** One of a few, side by side. */
export function Choice<T extends string>({ legend, name, value, options, onValue }: ChoiceProps<T>) {
  return (
    <fieldset class="choice">
      <legend class="unseen">{legend}</legend>
      {options.map(([one, words]) => (
        <label key={one}>
          <input type="radio" name={name} value={one} checked={one === value} onChange={() => onValue(one)} />
          <span>{words}</span>
        </label>
      ))}
    </fieldset>
  );
}
