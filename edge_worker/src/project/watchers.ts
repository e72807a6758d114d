// The websockets that follow one project: accepted, updated, closed. They survive hibernation of the object.
// Sends views only; identity and Origin were checked by the route.
import type { Project } from "../../shared/contracts/project.ts";

/** Request header with the time (ms since 1970, empty: no end) until which the identity behind a websocket is valid. */
export const WATCH_UNTIL_HEADER = "x-watch-until";

/** Stored with each websocket. until: ms since 1970 when its identity expires; null: never. */
interface WatchTerms {
  readonly until: number | null;
}

/** Application close codes begin at 4000; 4401 resembles HTTP's 401. */
const SESSION_ENDED = 4401;

export class Watchers {
  readonly #ctx: DurableObjectState;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  /** The answer to an upgrade; the first message is the project as it is now. */
  accept(request: Request, project: Project): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server);
    const until = request.headers.get(WATCH_UNTIL_HEADER) ?? "";
    server.serializeAttachment({ until: until === "" ? null : Number(until) } satisfies WatchTerms);
    server.send(messageOf(project));
    return new Response(null, { status: 101, webSocket: client });
  }

  /** view: computed only if somebody watches. */
  send(view: () => Project): void {
    const sockets = this.#ctx.getWebSockets();
    if (sockets.length === 0) return;
    const message = messageOf(view());
    for (const socket of sockets) {
      const { until } = socket.deserializeAttachment() as WatchTerms;
      try {
        if (until === null || Date.now() < until) socket.send(message);
        else socket.close(SESSION_ENDED, "Your sign-in has expired.");
      } catch {
        // The other side is gone and its close event is on the way.
      }
    }
  }

  closeAll(reason: string): void {
    for (const socket of this.#ctx.getWebSockets()) socket.close(1000, reason);
  }
}

function messageOf(project: Project): string {
  return JSON.stringify({ type: "project", project });
}
