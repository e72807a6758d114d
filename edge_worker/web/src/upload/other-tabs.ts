// Uploads in other tabs of this browser: each tab tells the others how far its upload is.
// A tab that falls silent, because it was closed or crashed, is forgotten after some seconds.
import { Store } from "../lib/store.ts";

export interface OtherUpload {
  projectId: string;
  sent: number;
  count: number;
}

const CHANNEL = "splat-uploads";
const TELL_EVERY_MS = 1000;
const FORGET_AFTER_MS = 5000;

/** By project. */
export const otherUploads = new Store<ReadonlyMap<string, OtherUpload>>(new Map());

const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(CHANNEL) : null;
const timers = new Map<string, ReturnType<typeof setTimeout>>();

function forget(projectId: string): void {
  clearTimeout(timers.get(projectId));
  timers.delete(projectId);
  otherUploads.update((all) => new Map([...all].filter(([id]) => id !== projectId)));
}

if (channel !== null) {
  channel.onmessage = ({ data }: MessageEvent<OtherUpload | { projectId: string; ended: true }>) => {
    if ("ended" in data) return forget(data.projectId);
    clearTimeout(timers.get(data.projectId));
    timers.set(data.projectId, setTimeout(() => forget(data.projectId), FORGET_AFTER_MS));
    otherUploads.update((all) => new Map([...all, [data.projectId, data]]));
  };
}

/** Tells the other tabs of an upload until it is stopped. */
export function tell(upload: () => OtherUpload): () => void {
  const { projectId } = upload();
  const timer = setInterval(() => channel?.postMessage(upload()), TELL_EVERY_MS);
  channel?.postMessage(upload());
  return () => {
    clearInterval(timer);
    channel?.postMessage({ projectId, ended: true });
  };
}
