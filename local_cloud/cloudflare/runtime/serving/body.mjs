// Sends a request's body on to workerd. A script that refuses a body unread answers at once, and workerd then closes the
// connection: what is still being sent would break it before the answer is read.
import { request as httpRequest } from "node:http";

/** Bytes that are sent before the rest waits for an answer. workerd reads 64 KiB of a body that its script leaves unread. */
const HEAD_BYTES = 48 * 1024;
/** How long the rest waits: this many times the median of the last answers, within bounds. A refusal is a quick answer. */
const WAIT_FACTOR = 4;
const WAIT_MIN_MS = 1000;
const WAIT_MAX_MS = 10_000;
const ANSWERS_KEPT = 20;
/** Bytes of a body that are read and dropped after the answer, so that its sender can read the answer. */
const DROPPED_BYTES_MAX = 256 * 1024 * 1024;
/** How long an endpoint may take to refuse a request on its headers alone. */
const REFUSAL_WAIT_MS = 10_000;

/** How long to wait for an answer, by how long the last answers took: on a busy machine all of them take longer. */
export class Patience {
  #answersMs = [];

  /** An answer to a request without a wait of its own began after so many ms. */
  saw(ms) {
    this.#answersMs = [...this.#answersMs.slice(1 - ANSWERS_KEPT), ms];
  }

  get waitMs() {
    const ordered = [...this.#answersMs].sort((a, b) => a - b);
    return Math.min(WAIT_MAX_MS, Math.max(WAIT_MIN_MS, WAIT_FACTOR * (ordered[ordered.length >> 1] ?? 0)));
  }
}

/** incoming: the client's request; onward: the request to workerd, whose whole answer ends the sending. */
export function sendBody(incoming, onward, patience) {
  let [sent, dropped] = [0, 0];
  let answered = false;
  const beganMs = performance.now();
  onward.on("response", (response) => {
    if (sent < HEAD_BYTES) patience.saw(performance.now() - beganMs);
    response.on("end", () => {
      answered = true;
      incoming.resume();
    });
  });
  incoming.on("data", (chunk) => {
    if (answered) {
      dropped += chunk.length;
      if (dropped > DROPPED_BYTES_MAX) incoming.destroy();
      return;
    }
    const before = sent;
    sent += chunk.length;
    const hasRoom = onward.write(chunk);
    if (before < HEAD_BYTES && sent >= HEAD_BYTES) {
      incoming.pause();
      // In the loop's next round: an answer that came meanwhile is read first, also where this process had to wait.
      setTimeout(() => setImmediate(() => incoming.resume()), patience.waitMs).unref();
    } else if (!hasRoom) {
      incoming.pause();
      onward.once("drain", () => incoming.resume());
    }
  });
  incoming.on("end", () => {
    if (!answered) onward.end();
  });
}

/** Whether the other side closed the connection while a body was being sent to it. */
export const refusedUnread = ({ code }) => code === "EPIPE" || code === "ECONNRESET";

/**
 * Sends the headers alone once more, after an endpoint closed the connection in mid-body: R2's endpoint reads the upload
 * that it accepts, and refuses another on its headers. The rest of the client's body is dropped.
 */
export function askWithoutBody(incoming, options) {
  const again = httpRequest({ ...options, agent: false });
  again.setTimeout(REFUSAL_WAIT_MS, () => again.destroy(new Error("it waits for the body now")));
  again.flushHeaders();
  incoming.resume();
  return again;
}
