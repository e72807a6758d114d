// A message to this browser once a job has ended (Web Push). Asks for permission only when people ask for the message.
// The browser's subscription is made with the stack's own key; one of another stack or an older key is replaced.
import { api, ApiError } from "./api.ts";
import { NOTIFY } from "../texts/running.ts";

export const canNotify = (key: string | null): key is string => key !== null && "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

/** Whether people have turned messages of this site off: then it must not ask again. */
export const isBlocked = (): boolean => Notification.permission === "denied";

/** Throws an ApiError that can be shown. */
export async function notifyAtEnd(projectId: string, key: string): Promise<void> {
  if ((await Notification.requestPermission()) !== "granted") throw new ApiError(0, "BLOCKED", NOTIFY.blocked, NOTIFY.blockedHint);
  let subscription: PushSubscription;
  try {
    subscription = await subscribe(key);
  } catch (error) {
    console.error(error);
    throw new ApiError(0, "NO_PUSH", NOTIFY.unreachable, NOTIFY.unreachableHint);
  }
  await api.notify(projectId, subscription.toJSON());
}

async function subscribe(key: string): Promise<PushSubscription> {
  const { pushManager } = await navigator.serviceWorker.ready;
  const before = await pushManager.getSubscription();
  if (before !== null && base64Url(before.options.applicationServerKey) === key) return before;
  await before?.unsubscribe();
  return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

const base64Url = (bytes: ArrayBuffer | null): string =>
  btoa(String.fromCharCode(...new Uint8Array(bytes ?? new ArrayBuffer())))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
