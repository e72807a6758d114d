// Saves several files as one archive, with how far it is.
import { useState } from "preact/hooks";

import { ApiError } from "../../api/api.ts";
import { saveZip, type Entry } from "../../lib/save-zip.ts";
import { DOWNLOADS } from "../../texts/downloads.ts";
import { Failure, useAction } from "./parts.tsx";

export function ZipButton({ label, name, entries }: { label: string; name: string; entries: readonly Entry[] }) {
  const [done, setDone] = useState(0);
  const zip = useAction(async () => {
    setDone(0);
    try {
      await saveZip(name, entries, setDone);
    } catch (error) {
      console.warn("The archive was not made:", error);
      throw new ApiError(0, "NO_ARCHIVE", DOWNLOADS.failed, DOWNLOADS.failedHint);
    }
  });
  return (
    <>
      <button class="button quiet" type="button" disabled={zip.busy} onClick={zip.run}>
        {zip.busy ? DOWNLOADS.saving(done, entries.length) : label}
      </button>
      <Failure error={zip.error} />
    </>
  );
}
