// Parts of the app that load when they are needed, and what happens when one is no longer on the server.
import { Store } from "./store.ts";

/** A part of the app could not be loaded although the device is online: most likely a newer version replaced it. */
export const outdated = new Store(false);

/** Loads a part. Throws what the browser throws, and lets the frame of the app offer a reload. */
export async function lazily<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (navigator.onLine) outdated.set(true);
    throw error;
  }
}
