// A page that is no part of what every visit loads: its code is fetched when it is first shown, and kept.
import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";

import { lazily } from "../../lib/lazy.ts";
import { NOTICES } from "../../texts/notices.ts";
import { Notice, Wait } from "./notices.tsx";

export function later<Props extends object>(load: () => Promise<FunctionComponent<Props>>): FunctionComponent<Props> {
  let Known: FunctionComponent<Props> | null = null;
  return (props) => {
    const [state, setState] = useState<"loading" | "failed" | "loaded">("loading");
    useEffect(() => {
      if (Known !== null) return;
      lazily(load).then(
        (page) => {
          Known = page;
          setState("loaded");
        },
        (error: unknown) => {
          console.error(error);
          setState("failed");
        },
      );
    }, []);
    if (Known !== null) return <Known {...props} />;
    return state === "failed" ? <Notice alert title={NOTICES.noPage} lead={NOTICES.noPageLead} /> : <Wait />;
  };
}
