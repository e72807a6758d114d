// Uploads one clip in parts, some at once. The server knows which parts are stored, so any run continues where the last one stopped.
import type { Part, Parts } from "../../../shared/contracts/api.ts";
import { CLIPS } from "../texts/clips.ts";
import { outcome, TRIES_MAX } from "./plan.ts";
import { put, type Put } from "./put.ts";

interface StoredPart {
  number: number;
  etag: string;
}

/** What the session lends to one clip. */
export interface Lender {
  /** Reports stored parts, and asks for the next ones. */
  next: (stored: StoredPart[]) => Promise<Parts>;
  over: () => boolean;
  /** Bytes that have left so far, of the whole clip. */
  onBytes: (sent: number) => void;
  running: Set<Put>;
  /** Waits before repeat `n`. */
  wait: (n: number) => Promise<void>;
}

/** Null: it is stored, or the upload was stopped. Else why it could not be sent. Each part is reported as soon as it is stored. */
export async function sendClip(file: Blob, { next, over, onBytes, running, wait }: Lender): Promise<string | null> {
  let answer = await next([]);
  let failures = 0;
  /** Bytes of the parts under way, by number. */
  const sending = new Map<number, number>();
  const show = (): void => onBytes(answer.stored + [...sending.values()].reduce((sum, some) => sum + some, 0));

  const send = async (part: Part): Promise<string | null> => {
    sending.set(part.number, 0);
    const one = put({ url: part.url, method: "PUT", headers: {} }, file.slice(part.offset, part.offset + part.bytes), (bytes) => {
      sending.set(part.number, bytes);
      show();
    });
    running.add(one);
    const result = outcome(await one.done);
    running.delete(one);
    return result.kind === "sent" ? (one.header("etag")?.replaceAll('"', "") ?? null) : null;
  };

  const lane = async (): Promise<void> => {
    while (!over() && !answer.complete && failures < TRIES_MAX) {
      const part = answer.parts.find(({ number }) => !sending.has(number));
      if (part === undefined) return;
      const etag = await send(part);
      if (etag !== null) {
        // Also after a stop: it takes no stored part back.
        const newest = await next([{ number: part.number, etag }]);
        if (newest.complete || newest.stored > answer.stored) answer = newest;
        failures = 0;
      } else if (!over()) {
        failures += 1;
        await wait(failures);
      }
      sending.delete(part.number);
      show();
    }
  };

  show();
  while (!over() && !answer.complete && failures < TRIES_MAX) {
    await Promise.all(answer.parts.map(lane));
    if (!over() && !answer.complete) answer = await next([]);
  }
  return over() || answer.complete ? null : CLIPS.failing;
}
