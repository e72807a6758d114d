// Results: streamed from the bucket with ranges, for members and for holders of a share link. And the links themselves.
// Only names of the contract are read; nothing that a user uploaded is served from this origin.
import * as z from "zod/mini";

import { ShareAnswer, SharesAnswer } from "../../shared/contracts/api.ts";
import { OUTPUT_TYPES, isOutputName } from "../../shared/contracts/job-input.ts";
import { SharedProjectSchema, type Project } from "../../shared/contracts/project.ts";
import { contentDisposition, downloadName } from "../../shared/download-name.ts";
import { keys } from "../clients/bucket-keys.ts";
import type { Env } from "../env.ts";
import { ApiError, unwrap } from "../errors.ts";
import { endpoint, type Ctx, type Endpoint } from "../http/mount.ts";
import { locate, parseRange, type ByteRange } from "../http/range.ts";
import { projectStub } from "../project/stub.ts";
import { isReadable, viewShared } from "../project/view.ts";

const NAME_SHOWN = 100;

const SHARE_EXPIRY_S = { min: 60, max: 366 * 24 * 3600 } as const;

export const artifactEndpoints: readonly Endpoint[] = [
  endpoint({
    method: "GET",
    path: "/api/projects/:id/artifacts/:name",
    access: "view",
    summary: "One result of the current attempt; supports ranges and If-None-Match",
    answers: { 200: "the bytes", 206: "a range of them", 304: "not changed", 416: "a range outside of them" },
    handle: async ({ c, env, param }) => serveArtifact(c, env, unwrap(await projectStub(env, param("id")).view()), param("name")),
  }),
  endpoint({
    method: "POST",
    path: "/api/projects/:id/shares",
    access: "operate",
    summary: "Create an unlisted, view-only link to the scene",
    body: z.strictObject({ expires_in_s: z.nullish(z.int().check(z.gte(SHARE_EXPIRY_S.min), z.lte(SHARE_EXPIRY_S.max))) }),
    bodyOptional: true,
    idempotent: true,
    answers: { 201: ShareAnswer },
    handle: async ({ c, env, settings, param, body, idempotencyKey }) => {
      const { id, token, expiresAt } = unwrap(await projectStub(env, param("id")).createShare(body.expires_in_s ?? null, idempotencyKey));
      return c.json({ id, url: `${settings.workerUrl}/s/${token}`, expires_at: toIso(expiresAt) }, 201);
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
      return c.json({ shares: shares.map(({ id, created_at, expires_at }) => ({ id, created_at: toIso(created_at), expires_at: toIso(expires_at) })) });
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
    summary: "The project behind a share link, without its private fields",
    answers: { 200: SharedProjectSchema },
    handle: async ({ c, env, param }) => c.json(viewShared(await openShare(env, param("token")), param("token"))),
  }),
  endpoint({
    method: "GET",
    path: "/api/shared/:token/artifacts/:name",
    access: "none",
    summary: "One result behind a share link",
    answers: { 200: "the bytes", 206: "a range of them", 304: "not changed", 416: "a range outside of them" },
    handle: async ({ c, env, param }) => serveArtifact(c, env, await openShare(env, param("token")), param("name")),
  }),
];

async function openShare(env: Env, token: string): Promise<Project> {
  const match = /^(p_[0-9a-z]{16})\.([A-Za-z0-9_-]{32})$/.exec(token);
  const [, projectId, secret] = match ?? [];
  if (projectId === undefined || secret === undefined) throw new ApiError("NOT_FOUND", "This link is invalid or has expired.");
  return unwrap(await projectStub(env, projectId).openShare(secret));
}

async function serveArtifact(c: Ctx, env: Env, view: Project, name: string): Promise<Response> {
  if (!isOutputName(name) || !isReadable(view, name)) throw noArtifact(name);
  const key = keys.output(view.id, view.attempt, name);
  const range = parseRange(c.req.header("range"));
  const object = await readObject(env.BUCKET, key, c.req.raw.headers, range);
  if (object === null) throw noArtifact(name);
  const headers = new Headers({
    "content-type": OUTPUT_TYPES[name],
    etag: object.httpEtag,
    "accept-ranges": "bytes",
    // An attempt's results never change; the preview does while training runs.
    "cache-control": name === "preview.sog" ? "no-store" : "private, max-age=86400",
    "content-disposition": contentDisposition(downloadName(view.name, name)),
  });
  if (!("body" in object)) return new Response(null, { status: preconditionStatus(c), headers });
  const part = range === null ? null : locate(range, object.size);
  if (part === null) {
    headers.set("content-length", String(object.size));
    return new Response(object.body, { status: 200, headers });
  }
  headers.set("content-range", `bytes ${part.first}-${part.last}/${object.size}`);
  headers.set("content-length", String(part.last - part.first + 1));
  return new Response(object.body, { status: 206, headers });
}

async function readObject(bucket: R2Bucket, key: string, headers: Headers, range: ByteRange | null): Promise<R2ObjectBody | R2Object | null> {
  try {
    return await bucket.get(key, { onlyIf: headers, ...(range === null ? {} : { range }) });
  } catch (error) {
    // R2 fails for a range outside the object; the size shows whether that was the reason.
    const size = range === null ? undefined : (await bucket.head(key))?.size;
    if (range === null || size === undefined || locate(range, size) !== null) throw error;
    throw new ApiError("BAD_REQUEST", `This artifact has ${size} bytes. The range lies outside of them.`, {
      status: 416,
      headers: { "content-range": `bytes */${size}` },
    });
  }
}

function noArtifact(name: string): ApiError {
  return new ApiError("NOT_FOUND", `This project has no artifact "${name.slice(0, NAME_SHOWN)}".`);
}

function preconditionStatus(c: Ctx): number {
  return c.req.header("if-none-match") !== undefined || c.req.header("if-modified-since") !== undefined ? 304 : 412;
}

function toIso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
