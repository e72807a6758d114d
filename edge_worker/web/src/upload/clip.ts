// Uploads one clip in parts, some at once. The server knows which parts are stored, so any run continues where the last one stopped.
import type { Part } from "../../../shared/contracts/api.ts";
import { CLIPS } from "../texts/clips.ts";
import { outcome, TRIES_MAX } from "./plan.ts";
import { put, type Put } from "./put.ts";

interface StoredPart {
  number: number;
  etag: string;
}

/** What the session lends to one clip. */
export interface Lane {
  /** Reports stored parts, and asks for the next ones. */
  next: (stored: StoredPart[]) => Promise<{ stored: number; parts: Part[]; complete: boolean }>;
  over: () => boolean;
  /** Bytes that have left so far, of the whole clip. */
  onBytes: (sent: number) => void;
  running: Set<Put>;
  /** Waits before repeat `n`. */
  wait: (n: number) => Promise<void>;
}

/** Null: it is stored, or the upload was stopped. Else why it could not be sent. */
export async function sendClip(file: Blob, { next, over, onBytes, running, wait }: Lane): Promise<string | null> {
  let stored: StoredPart[] = [];
  for (let failures = 0; ; ) {
    const answer = await next(stored);
    stored = [];
    onBytes(answer.stored);
    if (answer.complete) return null;
    const sent = new Map<number, number>();
    const send = async (part: Part): Promise<void> => {
      const one = put({ url: part.url, method: "PUT", headers: {} }, file.slice(part.offset, part.offset + part.bytes), (bytes) => {
        sent.set(part.number, bytes);
        onBytes(answer.stored + [...sent.values()].reduce((sum, some) => sum + some, 0));
      });
      running.add(one);
      const result = outcome(await one.done);
      running.delete(one);
      const etag = one.header("etag")?.replaceAll('"', "");
      if (result.kind === "sent" && etag) stored.push({ number: part.number, etag });
    };
    await Promise.all(answer.parts.map(send));
    if (over()) {
      // Pausing takes no stored part back.
      if (stored.length > 0) await next(stored).catch(() => undefined);
      return null;
    }
    failures = stored.length > 0 ? 0 : failures + 1;
    if (failures >= TRIES_MAX) return CLIPS.failing;
    if (failures > 0) await wait(failures);
  }
}
