// Share links: made, listed, revoked by members; opened, shown in frames and described to other sites for anybody.
// A link's holder sees one scene, and changes nothing but the count of its views.
import * as z from "zod/mini";

import { ShareAnswer, SharesAnswer } from "../../shared/contracts/api.ts";
import { SharedProjectSchema, type Project } from "../../shared/contracts/project.ts";
import { FRAME, frameCode } from "../../shared/frame-code.ts";
import type { Env } from "../env.ts";
import { ApiError, unwrap } from "../errors.ts";
import { endpoint, type Ctx, type Endpoint } from "../http/mount.ts";
import type { ListedShare } from "../project/share-book.ts";
import { projectStub } from "../project/stub.ts";
import { viewShared } from "../project/view.ts";
import { intParameter } from "../schema.ts";
import { serveArtifact, serveCover } from "./artifacts.ts";

const SHARE_EXPIRY_S = { min: 60, max: 366 * 24 * 3600 } as const;
const SITES_MAX = 20;
/** A source of frame-ancestors: scheme, host with an optional wildcard for its subdomains, port. No text of it can end the policy. */
const SITE = /^https?:\/\/(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[0-9]{1,5})?$/;

const SiteSchema = z.string().check(z.maxLength(255), z.regex(SITE, "an origin such as https://example.org"));
const ShareBody = z.strictObject({
  expires_in_s: z.nullish(z.int().check(z.gte(SHARE_EXPIRY_S.min), z.lte(SHARE_EXPIRY_S.max))),
  embed: z.nullish(z.array(SiteSchema).check(z.maxLength(SITES_MAX))),
});

const PLAYER = { ...FRAME, min: 120 } as const;
const OEmbedQuery = z.object({
  url: z.optional(z.string()),
  maxwidth: z.optional(intParameter(1, 100_000)),
  maxheight: z.optional(intParameter(1, 100_000)),
  format: z.optional(z.string()),
});

/** https://oembed.com, 2.3.4. A link that no site may embed has the type "link", and no html. */
const OEmbedAnswer = z.object({
  version: z.literal("1.0"),
  type: z.enum(["rich", "link"]),
  provider_name: z.string(),
  provider_url: z.url(),
  title: z.string(),
  html: z.optional(z.string()),
  width: z.optional(z.int()),
  height: z.optional(z.int()),
  thumbnail_url: z.optional(z.url()),
  thumbnail_width: z.optional(z.int()),
  thumbnail_height: z.optional(z.int()),
});

export const shareEndpoints: readonly Endpoint[] = [
  endpoint({
    method: "POST",
    path: "/api/projects/:id/shares",
    access: "operate",
    summary: "Create an unlisted, view-only link to the scene; embed: sites that may show it in a frame, [] for any, null for none",
    body: ShareBody,
    bodyOptional: true,
    idempotent: true,
    answers: { 201: ShareAnswer },
    handle: async ({ c, env, settings, param, body, idempotencyKey }) => {
      const terms = { expiresInS: body.expires_in_s ?? null, embed: body.embed ?? null };
      const { id, token, expiresAt, embed } = unwrap(await projectStub(env, param("id")).createShare(terms, idempotencyKey));
      const embedUrl = embed === null ? null : `${settings.workerUrl}/e/${token}`;
      return c.json({ id, url: `${settings.workerUrl}/s/${token}`, expires_at: toIso(expiresAt), embed, embed_url: embedUrl }, 201);
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/projects/:id/shares",
    access: "operate",
    summary: "Links that work now, without their addresses",
    answers: { 200: SharesAnswer },
    handle: async ({ c, env, param }) => {
      const shares = unwrap(await projectStub(env, param("id")).shares());
      return c.json({ shares: shares.map(({ id, created_at, expires_at, embed, views }) => ({ id, created_at: toIso(created_at), expires_at: toIso(expires_at), embed, views })) });
    },
  }),
  endpoint({
    method: "DELETE",
    path: "/api/projects/:id/shares/:share_id",
    access: "operate",
    summary: "Revoke a link",
    answers: { 204: "nothing" },
    handle: async ({ env, param }) => {
      unwrap(await projectStub(env, param("id")).deleteShare(param("share_id")));
      return new Response(null, { status: 204 });
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/shared/:token",
    access: "none",
    summary: "The project behind a share link, without its private fields; counts a view",
    answers: { 200: SharedProjectSchema },
    handle: async ({ c, env, param }) => {
      const { project } = await openShare(env, param("token"), c.req.method === "GET");
      return c.json(viewShared(project, param("token")));
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/shared/:token/artifacts/:name",
    access: "none",
    summary: "One result behind a share link",
    answers: { 200: "the bytes", 206: "a range of them", 304: "not changed", 416: "a range outside of them" },
    handle: async ({ c, env, param }) => serveArtifact(c, env, (await openShare(env, param("token"))).project, param("name")),
  }),
  endpoint({
    method: "GET",
    path: "/api/shared/:token/cover",
    access: "none",
    summary: "The picture behind a share link; size=small: a thumbnail",
    query: z.object({ size: z.optional(z.enum(["small", "large"])), v: z.optional(z.string()) }),
    answers: { 200: "the bytes", 304: "not changed" },
    handle: async ({ c, env, param, query }) => {
      const response = await serveCover(c, env, (await openShare(env, param("token"))).project, query.size ?? "large");
      // Other sites show it beside the link.
      response.headers.set("cross-origin-resource-policy", "cross-origin");
      return response;
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/oembed",
    access: "none",
    summary: "oEmbed of a share link (https://oembed.com)",
    query: OEmbedQuery,
    answers: { 200: OEmbedAnswer, 501: "a format other than json" },
    handle: async ({ c, env, settings, query }) => {
      if (query.format !== undefined && query.format !== "json") throw new ApiError("BAD_REQUEST", "The format is json only.", { status: 501 });
      const token = tokenOf(query.url ?? "", settings.workerUrl);
      const { project, share } = await openShare(env, token);
      const width = within(query.maxwidth, PLAYER.width);
      const height = within(query.maxheight, Math.round((width * PLAYER.height) / PLAYER.width));
      const base = { version: "1.0", provider_name: "Splat", provider_url: settings.workerUrl, title: project.name } as const;
      const picture = project.cover === null ? {} : { thumbnail_url: `${settings.workerUrl}/api/shared/${token}/cover?size=small` };
      const player = share.embed === null ? { type: "link" } : { type: "rich", html: frameCode(`${settings.workerUrl}/e/${token}`, project.name, { width, height }), width, height };
      return c.json({ ...base, ...player, ...picture }, 200, { "access-control-allow-origin": "*" });
    },
  }),
];

export interface OpenedShare {
  readonly project: Project;
  readonly share: ListedShare;
}

/** Throws NOT_FOUND unless the token is that of a link that works now. counted: somebody looks at the scene. */
export async function openShare(env: Env, token: string, counted = false): Promise<OpenedShare> {
  const match = /^(p_[0-9a-z]{16})\.([A-Za-z0-9_-]{32})$/.exec(token);
  const [, projectId, secret] = match ?? [];
  if (projectId === undefined || secret === undefined) throw new ApiError("NOT_FOUND", "This link is invalid or has expired.");
  return unwrap(await projectStub(env, projectId).openShare(secret, counted)) as OpenedShare;
}

/** The same, or null. */
export async function findShare(c: Ctx, token: string): Promise<OpenedShare | null> {
  try {
    return await openShare(c.env, token);
  } catch (error) {
    if (error instanceof ApiError && error.code === "NOT_FOUND") return null;
    throw error;
  }
}

function tokenOf(address: string, workerUrl: string): string {
  const match = new RegExp(`^${workerUrl.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}/[se]/([^/?#]+)`).exec(address);
  return match?.[1] ?? "";
}

const within = (asked: number | undefined, usual: number): number => Math.max(PLAYER.min, Math.min(asked ?? usual, usual));

function toIso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
