// Results: streamed from the bucket with ranges, for members and for holders of a share link.
// Only names of the contract are read. Of what a user uploaded, covers and thumbnails are shown from this origin, as JPEG; photos are only saved.
import * as z from "zod/mini";

import { OUTPUT_TYPES, isOutputName } from "../../shared/contracts/job-input.ts";
import type { Project } from "../../shared/contracts/project.ts";
import { contentDisposition, downloadName } from "../../shared/download-name.ts";
import { keys } from "../clients/bucket-keys.ts";
import type { Env } from "../env.ts";
import { ApiError, unwrap } from "../errors.ts";
import { endpoint, type Ctx, type Endpoint } from "../http/mount.ts";
import { locate, parseRange, type ByteRange } from "../http/range.ts";
import type { PhotoRow } from "../project/photos/rules.ts";
import { projectStub } from "../project/stub.ts";
import { intParameter } from "../schema.ts";
import { attemptWith } from "../project/view.ts";

const NAME_SHOWN = 100;
const ATTEMPT_MAX = 1_000_000;

export const artifactEndpoints: readonly Endpoint[] = [
  endpoint({
    method: "GET",
    path: "/api/projects/:id/artifacts/:name",
    access: "view",
    summary: "One file of the scene that is shown, or of the attempt that is named; supports ranges and If-None-Match",
    query: z.object({ attempt: z.optional(intParameter(1, ATTEMPT_MAX)), v: z.optional(z.string()) }),
    answers: { 200: "the bytes", 206: "a range of them", 304: "not changed", 416: "a range outside of them" },
    handle: async ({ c, env, param, query }) => serveArtifact(c, env, unwrap(await projectStub(env, param("id")).view()), param("name"), query.attempt ?? null),
  }),
];

/** asked: the attempt whose file it is; null: that of the scene that is shown. */
export async function serveArtifact(c: Ctx, env: Env, view: Project, name: string, asked: number | null = null): Promise<Response> {
  const attempt = attemptWith(view, name, asked);
  if (!isOutputName(name) || attempt === null) throw noArtifact(name);
  const key = keys.output(view.id, attempt, name);
  const range = parseRange(c.req.header("range"));
  const object = await readObject(env.BUCKET, key, c.req.raw.headers, range);
  if (object === null) throw noArtifact(name);
  const headers = new Headers({
    "content-type": OUTPUT_TYPES[name],
    etag: object.httpEtag,
    "accept-ranges": "bytes",
    // An attempt's results never change; the preview does while training runs.
    "cache-control": name === "preview.sog" ? "no-store" : "private, max-age=86400",
    // A page must never run at this origin.
    "content-disposition": contentDisposition(downloadName(view.name, name), name === "scene.html" ? "attachment" : "inline"),
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

/** The picture of a scene: the cover that was chosen, else the poster. */
export async function serveCover(c: Ctx, env: Env, view: Project, size: "small" | "large"): Promise<Response> {
  const chosen = view.edit?.cover ?? null;
  if (chosen === null) return serveArtifact(c, env, view, size === "small" && attemptWith(view, "thumbnail.webp", null) !== null ? "thumbnail.webp" : "poster.webp");
  const object = await readObject(env.BUCKET, keys.cover(view.id, view.shown ?? 0, chosen, size), c.req.raw.headers, null);
  if (object === null) throw noArtifact("cover");
  const headers = { "content-type": "image/jpeg", etag: object.httpEtag, "cache-control": "private, max-age=86400" };
  return "body" in object ? new Response(object.body, { headers }) : new Response(null, { status: preconditionStatus(c), headers });
}

/**
 * A photo for its owner. The original is what somebody uploaded, so it is only ever saved, never shown from this origin;
 * its thumbnail is a JPEG and nothing else.
 */
export async function servePhoto(c: Ctx, env: Env, projectId: string, photo: PhotoRow | undefined, small: boolean): Promise<Response> {
  const object = photo === undefined ? null : await readObject(env.BUCKET, small ? keys.thumbnail(projectId, photo.as) : keys.photo(projectId, photo.as), c.req.raw.headers, null);
  if (photo === undefined || object === null) throw new ApiError("NOT_FOUND", small ? "This photo has no thumbnail." : "This project has no such photo.");
  const headers = new Headers({
    "content-type": small ? "image/jpeg" : "application/octet-stream",
    etag: object.httpEtag,
    "cache-control": "private, max-age=86400",
    ...(small ? {} : { "content-disposition": contentDisposition(photo.name, "attachment") }),
  });
  return isWhole(object) ? new Response(object.body, { headers }) : new Response(null, { status: preconditionStatus(c), headers });
}

/** Without its bytes if the caller has them already. */
const isWhole = (object: R2ObjectBody | R2Object): object is R2ObjectBody => "body" in object;

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
