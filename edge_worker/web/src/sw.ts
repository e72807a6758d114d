// The service worker: keeps the shell of the page for offline starts.
// Never keeps API answers, photos or scenes: those are always the server's.
declare const self: ServiceWorkerGlobalScope;

/** Both are written in by the build (vite.config.ts). */
const FILES: string[] = __SHELL_FILES__;
const CACHE = `splat-shell-${__SHELL_VERSION__}`;

declare const __SHELL_FILES__: string[];
declare const __SHELL_VERSION__: string;

const BYPASS = /^\/(api|login|cdn-cgi)\//;

self.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(CACHE);
      await cache.addAll(FILES.map((path) => new Request(path, { cache: "reload" })));
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
  else event.respondWith(keptOrFetched(request));
});

/** The newest page where there is a network, else the kept one: every address is the same document. */
async function navigate(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await caches.match("/", { cacheName: CACHE });
    if (kept) return kept;
    throw error;
  }
}

/** Built files carry their hash in the name, so a kept one is never stale; the 3D engine is kept once it was used. */
async function keptOrFetched(request: Request): Promise<Response> {
  const kept = await caches.match(request, { cacheName: CACHE, ignoreSearch: false });
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok && new URL(request.url).pathname.startsWith("/assets/")) {
    const cache = await caches.open(CACHE);
    await cache.put(request, response.clone());
  }
  return response;
}

export {};
