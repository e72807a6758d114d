// Keeps the chosen photos in this browser, so that a reload or a crash does not lose the choice.
// Nothing leaves the device. Without storage (private windows, a full disk) the choice lasts as long as the page.
import type { Intake, Kept } from "./intake.ts";

const DATABASE = "splat";
const STORE = "draft";

/** Restores what was kept, then keeps every change. */
export async function keepDraft(intake: Intake): Promise<void> {
  const database = await open();
  if (database === null) return;
  const kept = await done(database.transaction(STORE).objectStore(STORE).getAll() as IDBRequest<Kept[]>);
  if (kept === null) return;
  intake.restore(kept);
  const stored = new Set(kept.map(({ key }) => key));
  const follow = (): void => {
    const chosen = intake.chosen.get();
    const now = new Set(chosen.map(({ key }) => key));
    const added = chosen.filter(({ key }) => !stored.has(key));
    const removed = [...stored].filter((key) => !now.has(key));
    if (added.length === 0 && removed.length === 0) return;
    const store = database.transaction(STORE, "readwrite").objectStore(STORE);
    for (const { key, file, path } of added) {
      stored.add(key);
      void done(store.put({ key, file, path } satisfies Kept));
    }
    for (const key of removed) {
      stored.delete(key);
      void done(store.delete(key));
    }
  };
  intake.chosen.watch(follow);
  follow();
}

/** Null where the browser has no storage for this page. */
async function open(): Promise<IDBDatabase | null> {
  try {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "key" });
    return await done(request);
  } catch {
    return null;
  }
}

/** The result of a request, or null if it failed. */
function done<T>(request: IDBRequest<T>): Promise<T | null> {
  return new Promise((resolve) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = (event) => {
      event.preventDefault();
      event.stopPropagation();
      resolve(null);
    };
  });
}
