// One chosen photo on a contact sheet: picture, name, verdict, and a button that removes it.
// Without a picture (HEIC in most browsers), its type stands in its place.
import { intake, type Chosen, type Intake } from "../../intake/intake.ts";
import type { Verdict } from "../../intake/rules.ts";

import "./frame.css";

interface FrameProps {
  one: Chosen;
  verdict: Verdict | undefined;
  number: number;
  /** Holds the choice that the photo is of. */
  from?: Intake;
}

export function Frame({ one, verdict, number, from = intake }: FrameProps) {
  const { key, facts, thumbnail, examined } = one;
  const words = verdict?.use === false ? verdict.reason : (verdict?.hint ?? null);
  // What a clip gives is no doubt about it.
  const look = verdict?.use === false ? "frame rejected" : words && facts.seconds === null ? "frame doubtful" : "frame";
  return (
    <li class={look}>
      <div class="thumb">
        {thumbnail ? <img src={thumbnail} alt={facts.name} decoding="async" /> : <span class="blank fine">{examined ? (facts.name.split(".").at(-1) ?? "?") : ""}</span>}
        <button class="remove" type="button" onClick={() => from.remove(key)}>
          <span aria-hidden="true">×</span>
          <span class="unseen">Remove {facts.name}</span>
        </button>
      </div>
      <p class="edge">
        <span>{number}</span>
        <span class="file-name" title={facts.name}>
          {facts.name}
        </span>
      </p>
      {words ? <p class={look === "frame" ? "fine" : "why"}>{words}</p> : null}
    </li>
  );
}
