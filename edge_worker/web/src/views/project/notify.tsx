// Offers a message at the end of the job. Shown only after a job has started, and where this browser can.
import { useState } from "preact/hooks";

import { canNotify, isBlocked, notifyAtEnd } from "../../api/notify.ts";
import { NOTIFY } from "../../texts/running.ts";
import { Failure, useAction } from "../common/parts.tsx";

export function NotifyMe({ projectId, attempt, pushKey }: { projectId: string; attempt: number; pushKey: string | null }) {
  const [asked, setAsked] = useState<number | null>(null);
  const notify = useAction(async () => {
    if (!canNotify(pushKey)) return;
    await notifyAtEnd(projectId, pushKey);
    setAsked(attempt);
  });
  if (!canNotify(pushKey)) return null;
  if (asked === attempt) {
    return (
      <p class="small" role="status">
        {NOTIFY.asked}
      </p>
    );
  }
  if (isBlocked() && notify.error === null) return null;
  return (
    <>
      <button class="button quiet" type="button" disabled={notify.busy} onClick={notify.run}>
        {NOTIFY.ask}
      </button>
      <Failure error={notify.error} />
    </>
  );
}
