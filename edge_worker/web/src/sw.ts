// The service worker: caches the app's shell for offline starts.
// Never caches API responses, photos or scenes, and no answer under the name of a file that it is not.
import { isTheFile } from "./lib/file-types.ts";

declare const self: ServiceWorkerGlobalScope;

/** The build fills in both (vite.config.ts). */
const FILES: string[] = __SHELL_FILES__;
const CACHE = `splat-shell-${__SHELL_VERSION__}`;

declare const __SHELL_FILES__: string[];
declare const __SHELL_VERSION__: string;

const BYPASS = /^\/(api|login|cdn-cgi)\//;

self.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(CACHE);
      await Promise.all(FILES.map((path) => add(cache, path)));
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      const names = await caches.keys();
      await Promise.all(names.filter((name) => name.startsWith("splat-shell-") && name !== CACHE).map((name) => caches.delete(name)));
      await self.clients.claim();
    })(),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin || BYPASS.test(url.pathname)) return;
  if (request.mode === "navigate") event.respondWith(navigate(request));
  else event.respondWith(cachedOrFetched(request));
});

/** The server has encrypted it for this browser (edge_worker/src/account/push/news.ts). */
self.addEventListener("push", (event) => {
  const { title, body, path } = event.data?.json() as { title: string; body: string; path: string };
  event.waitUntil(self.registration.showNotification(title, { body, tag: path, icon: "/icons/icon-192.png", data: path }));
});

/** The page of the scene: the tab that shows it, any other tab of the app, or a new one. */
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(new URL(String(event.notification.data), self.location.origin)));
});

async function open(page: URL): Promise<void> {
  const tabs = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const shown = tabs.find(({ url }) => new URL(url).pathname === page.pathname);
  if (shown) await shown.focus();
  else await self.clients.openWindow(page.href);
}

/** Fails the installation unless the server has this file: the old shell then stays until the next try. */
async function add(cache: Cache, path: string): Promise<void> {
  const response = await fetch(new Request(path, { cache: "reload" }));
  if (!isFile(path, response)) throw new Error(`${path} is not there (${response.status}).`);
  await cache.put(path, response);
}

const isFile = (path: string, response: Response): boolean => response.ok && isTheFile(path, response.headers.get("content-type"));

/** The current page, or the cached one when offline. Every address is the same document. */
async function navigate(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (error) {
    const cached = await caches.match("/", { cacheName: CACHE });
    if (cached) return cached;
    throw error;
  }
}

/** Built files have their hash in the name, so a cached file is never stale. The 3D engine is cached after its first use. */
async function cachedOrFetched(request: Request): Promise<Response> {
  const cached = await caches.match(request, { cacheName: CACHE, ignoreSearch: false });
  if (cached) return cached;
  const response = await fetch(request);
  const { pathname } = new URL(request.url);
  if (pathname.startsWith("/assets/") && isFile(pathname, response)) {
    const cache = await caches.open(CACHE);
    await cache.put(request, response.clone());
  }
  return response;
}
