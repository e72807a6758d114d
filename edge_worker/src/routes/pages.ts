// The app's documents: one HTML file for every page.
// Files that exist are assets and never reach this Worker; a missing file is never answered with the page.
import { escapeHtml } from "../../shared/frame-code.ts";
import { playerHeaders } from "../http/headers.ts";
import { limitRate, type Ctx } from "../http/mount.ts";
import { settingsOf } from "../settings.ts";
import { findShare, type OpenedShare } from "./shares.ts";

/** Paths of documents; the same list is in wrangler.jsonc as run_worker_first. */
export const PAGE_PATHS = ["/", "/index.html", "/new", "/operations", "/p/*", "/s/*", "/e/*"] as const;

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

/** The page of a share link, with the title and picture that other sites show beside a link to it. */
export async function sharePage(c: Ctx): Promise<Response> {
  await limitRate(c, null);
  const token = c.req.param("token") ?? "";
  const opened = await findShare(c, token);
  const shown = await page(c, opened === null);
  if (opened === null) return shown;
  const tags = previewTags(token, opened, settingsOf(c.env).workerUrl);
  return new HTMLRewriter()
    .on("title", { element: (title) => void title.setInnerContent(opened.project.name).after(tags, { html: true }) })
    .transform(shown);
}

/** The scene without anything around it, for a frame in another site. The link's own terms say in which sites. */
export async function playerPage(c: Ctx): Promise<Response> {
  await limitRate(c, null);
  const opened = await findShare(c, c.req.param("token") ?? "");
  // A link that has ended shows that in its frame, wherever that is.
  await playerHeaders(opened === null ? [] : opened.share.embed)(c, async () => void (c.res = opened === null ? await missingPage(c) : await page(c)));
  return c.res;
}

/** Open Graph, Twitter's card, and where oEmbed is (https://ogp.me, https://oembed.com 4). */
function previewTags(token: string, { project, share }: OpenedShare, workerUrl: string): string {
  const address = `${workerUrl}/s/${token}`;
  const description = `A 3D scene made from ${project.photos.count} photos.`;
  const tags: [string, string, string][] = [
    ["property", "og:type", "website"],
    ["property", "og:site_name", "Splat"],
    ["property", "og:title", project.name],
    ["property", "og:description", description],
    ["property", "og:url", address],
    ...(project.cover === null ? [] : ([["property", "og:image", `${workerUrl}/api/shared/${token}/cover`], ["property", "og:image:alt", project.name]] satisfies [string, string, string][])),
    ["name", "twitter:card", project.cover === null ? "summary" : "summary_large_image"],
    ...(share.embed === null ? [] : ([["property", "og:video:url", `${workerUrl}/e/${token}`], ["property", "og:video:type", "text/html"]] satisfies [string, string, string][])),
  ];
  const oembed = `${workerUrl}/api/oembed?url=${encodeURIComponent(address)}`;
  return [
    ...tags.map(([kind, name, content]) => `<meta ${kind}="${name}" content="${escapeHtml(content)}">`),
    `<link rel="alternate" type="application/json+oembed" href="${escapeHtml(oembed)}" title="${escapeHtml(project.name)}">`,
  ].join("");
}

/** unchanging: the same document for everybody, so that a browser may keep it. */
export async function page(c: Ctx, unchanging = true): Promise<Response> {
  const asset = await c.env.ASSETS.fetch(new Request(new URL("/", c.req.url), { method: c.req.method, headers: unchanging ? conditions(c) : {} }));
  const response = new Response(asset.body, asset);
  response.headers.set("cache-control", "no-cache");
  if (!unchanging) response.headers.delete("etag");
  // Share links are unlisted, and nothing else here is for search engines either.
  response.headers.set("x-robots-tag", "noindex");
  return response;
}

function conditions(c: Ctx): Record<string, string> {
  const etag = c.req.header("if-none-match");
  return etag === undefined ? {} : { "if-none-match": etag };
}
