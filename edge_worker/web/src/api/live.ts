// Keeps one project up to date: over a websocket, or by polling while the websocket is closed.
// Never changes a project. The latest snapshot from the server always wins.
import * as z from "zod/mini";

import { ProjectEvent } from "../../../shared/contracts/api.ts";
import type { Project } from "../../../shared/contracts/project.ts";
import { api, asApiError, eventsUrl, type ApiError } from "./api.ts";

const POLL_MS = 3000;
const RECONNECT_MS = [1000, 2000, 5000, 10_000, 30_000];
/** Poll interval while the websocket is open, in case it has gone silent. */
const QUIET_POLL_MS = 20_000;

export interface Watch {
  stop(): void;
  /** Poll now, for example after a call that changed the project. */
  refresh(): void;
}

export interface Watcher {
  onProject(project: Project): void;
  onError(error: ApiError): void;
}

export function watch(projectId: string, { onProject, onError }: Watcher): Watch {
  let stopped = false;
  const end = new AbortController();
  let socket: WebSocket | undefined;
  let failures = 0;
  let pollTimer: ReturnType<typeof setTimeout> | undefined;
  let reconnectTimer: ReturnType<typeof setTimeout> | undefined;

  const isOpen = (): boolean => socket?.readyState === WebSocket.OPEN;

  /** Starts with a GET, so that leaving the page at once does not abort a half-open websocket. */
  async function start(): Promise<void> {
    await poll();
    if (!stopped) connect();
  }

  async function poll(): Promise<void> {
    clearTimeout(pollTimer);
    if (stopped) return;
    if (document.visibilityState !== "hidden") {
      try {
        const project = await api.project(projectId);
        if (!stopped) onProject(project);
      } catch (error) {
        if (!stopped) onError(asApiError(error));
      }
    }
    if (!stopped) pollTimer = setTimeout(() => void poll(), isOpen() ? QUIET_POLL_MS : POLL_MS);
  }

  function connect(): void {
    if (stopped) return;
    socket = new WebSocket(eventsUrl(projectId));
    socket.onopen = () => {
      failures = 0;
    };
    socket.onmessage = ({ data }) => {
      const message = z.safeParse(ProjectEvent, parse(data));
      if (message.success && !stopped) onProject(message.data.project);
    };
    socket.onclose = () => {
      if (stopped) return;
      const wait = RECONNECT_MS[Math.min(failures, RECONNECT_MS.length - 1)];
      failures += 1;
      reconnectTimer = setTimeout(connect, wait);
      void poll();
    };
  }

  function wake(): void {
    if (document.visibilityState === "visible") void poll();
  }

  document.addEventListener("visibilitychange", wake, { signal: end.signal });
  addEventListener("online", wake, { signal: end.signal });
  void start();

  return {
    refresh: () => void poll(),
    stop() {
      stopped = true;
      clearTimeout(pollTimer);
      clearTimeout(reconnectTimer);
      end.abort();
      // The browser reports closing during the handshake as an error, so close as soon as it is open.
      if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = ({ currentTarget }) => (currentTarget as WebSocket).close();
      else socket?.close();
    },
  };
}

function parse(data: unknown): unknown {
  try {
    return JSON.parse(String(data));
  } catch {
    return undefined;
  }
}
