// The app's documents: one HTML file for every page.
// Files that exist are assets and never reach this Worker; a missing file is never answered with the page.
import type { Ctx } from "../http/mount.ts";

/** Paths of documents; the same list is in wrangler.jsonc as run_worker_first. */
export const PAGE_PATHS = ["/", "/index.html", "/new", "/operations", "/p/*", "/s/*"] as const;

/** Where only programs look: a page there would pass for the script, the style or the data that is missing. */
const NO_PAGES = /^\/(api|assets|login)\//;

/** Whether a person opens this address in a browser. A program without Sec-Fetch-Mode is believed what it accepts. */
export function isNavigation(request: Request): boolean {
  if (request.method !== "GET" && request.method !== "HEAD") return false;
  if (NO_PAGES.test(new URL(request.url).pathname)) return false;
  const mode = request.headers.get("sec-fetch-mode");
  return mode === null ? (request.headers.get("accept") ?? "").includes("text/html") : mode === "navigate";
}

/** The app at an address that it does not know: it shows that there is no such page. */
export async function missingPage(c: Ctx): Promise<Response> {
  const shown = await page(c);
  return new Response(shown.body, { status: shown.status === 200 ? 404 : shown.status, headers: shown.headers });
}

export async function page(c: Ctx): Promise<Response> {
  const asset = await c.env.ASSETS.fetch(new Request(new URL("/", c.req.url), { method: c.req.method, headers: conditions(c) }));
  const response = new Response(asset.body, asset);
  response.headers.set("cache-control", "no-cache");
  // Share links are unlisted, and nothing else here is for search engines either.
  response.headers.set("x-robots-tag", "noindex");
  return response;
}

function conditions(c: Ctx): Record<string, string> {
  const etag = c.req.header("if-none-match");
  return etag === undefined ? {} : { "if-none-match": etag };
}
