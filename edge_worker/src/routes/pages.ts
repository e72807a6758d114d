// The app's documents: one HTML file for every page, with headers that name this stack's bucket.
// Files with other names are assets and never reach this Worker.
import { documentHeaders } from "../http/headers.ts";
import type { Ctx } from "../http/mount.ts";
import { settingsOf } from "../settings.ts";

/** Paths of documents; the same list is in wrangler.jsonc as run_worker_first. */
export const PAGE_PATHS = ["/", "/index.html", "/new", "/p/*", "/s/*"] as const;

export async function page(c: Ctx): Promise<Response> {
  const settings = settingsOf(c.env);
  const asset = await c.env.ASSETS.fetch(new Request(new URL("/", c.req.url), { method: c.req.method, headers: conditions(c) }));
  const response = new Response(asset.body, asset);
  const headers = documentHeaders(settings.s3.endpoint, settings.workerUrl.startsWith("https://"));
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

function conditions(c: Ctx): Record<string, string> {
  const etag = c.req.header("if-none-match");
  return etag === undefined ? {} : { "if-none-match": etag };
}
