// The app's documents: one HTML file for every page.
// Files with other names are assets and never reach this Worker.
import type { Ctx } from "../http/mount.ts";

/** Paths of documents; the same list is in wrangler.jsonc as run_worker_first. */
export const PAGE_PATHS = ["/", "/index.html", "/new", "/p/*", "/s/*"] as const;

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
