// Several scenes selected in the list, and deleted after one question.
// Never deletes before it has listed what is deleted.
import { useState } from "preact/hooks";

import type { Project } from "../../../../shared/contracts/project.ts";
import { ACTIVE } from "../../../../shared/stages.ts";
import { api, ApiError, asApiError } from "../../api/api.ts";
import { forget } from "../../api/last-seen.ts";
import { BULK } from "../../texts/home.ts";
import { Ask } from "../common/dialog.tsx";

const AT_ONCE = 4;

interface Props {
  shown: readonly Project[];
  /** null: nothing can be selected now. */
  picked: ReadonlySet<string> | null;
  onPicked: (picked: ReadonlySet<string> | null) => void;
  onDeleted: (ids: readonly string[]) => void;
}

export function Selection({ shown, picked, onPicked, onDeleted }: Props) {
  const [asking, setAsking] = useState(false);
  if (picked === null) {
    return (
      <button class="button text" type="button" onClick={() => onPicked(new Set())}>
        {BULK.select}
      </button>
    );
  }
  // A scene that left the list meanwhile, or that a search hides, is not deleted unseen.
  const chosen = shown.filter(({ id }) => picked.has(id));
  return (
    <div class="row selection">
      <span role="status">{BULK.selected(chosen.length)}</span>
      <button class="button text" type="button" onClick={() => onPicked(new Set(shown.map(({ id }) => id)))}>
        {BULK.all}
      </button>
      <button class="button danger" type="button" disabled={chosen.length === 0} onClick={() => setAsking(true)}>
        {BULK.delete}
      </button>
      <button class="button quiet" type="button" onClick={() => onPicked(null)}>
        {BULK.done}
      </button>
      {asking ? (
        <Ask
          title={BULK.title(chosen.length)}
          action={BULK.action}
          keep={BULK.keep}
          danger
          onClose={() => setAsking(false)}
          onYes={async () => {
            const { gone, failure } = await deleteAll(chosen.map(({ id }) => id));
            for (const id of gone) forget(id);
            onDeleted(gone);
            if (failure !== null) throw new ApiError(failure.status, failure.code, BULK.failed(chosen.length - gone.length, failure.message), failure.hint);
            onPicked(null);
            setAsking(false);
          }}
        >
          <p>{questionText(chosen)}</p>
        </Ask>
      ) : null}
    </div>
  );
}

export function questionText(chosen: readonly Project[]): string {
  const photos = chosen.reduce((sum, one) => sum + one.photos.count, 0);
  return BULK.text(photos, chosen.filter(({ state }) => state === "done").length, chosen.filter(({ state }) => ACTIVE.has(state)).length);
}

/** Those that were deleted, by us or by somebody else before, and why another one was not. */
async function deleteAll(ids: readonly string[]): Promise<{ gone: string[]; failure: ApiError | null }> {
  const queue = [...ids];
  const gone: string[] = [];
  let failure: ApiError | null = null;
  const lane = async (): Promise<void> => {
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
      try {
        await api.remove(id);
        gone.push(id);
      } catch (error) {
        const known = asApiError(error);
        if (known.status === 404) gone.push(id);
        else failure = known;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return { gone, failure };
}
