// The edit of a scene and its picture: set, undone, stored.
// Never changes a file that the worker made.
import * as z from "zod/mini";

import { CoverAnswer } from "../../shared/contracts/api.ts";
import { EditSchema } from "../../shared/contracts/edit.ts";
import { ProjectSchema } from "../../shared/contracts/project.ts";
import { fromBase64 } from "../crypto.ts";
import { ApiError, unwrap } from "../errors.ts";
import { endpoint, type Endpoint } from "../http/mount.ts";
import { projectStub } from "../project/stub.ts";
import { projectTag } from "../project/version.ts";
import { serveCover } from "./artifacts.ts";

const COVER_LENGTH_MAX = 700_000;
const THUMBNAIL_LENGTH_MAX = 70_000;
const jpeg = (lengthMax: number) => z.string().check(z.regex(/^\/9j\/[A-Za-z0-9+/]+={0,2}$/, "a JPEG in base64"), z.maxLength(lengthMax));

/** Two sizes of one picture, JPEG in base64. */
const CoverBody = z.strictObject({ image: jpeg(COVER_LENGTH_MAX), thumbnail: jpeg(THUMBNAIL_LENGTH_MAX) });
const COVER_BODY_BYTES_MAX = COVER_LENGTH_MAX + THUMBNAIL_LENGTH_MAX + 1000;

export const editEndpoints: readonly Endpoint[] = [
  endpoint({
    method: "PUT",
    path: "/api/projects/:id/edit",
    access: "upload",
    summary: "Edit the finished scene: where up is, the start view, the cover; the files stay as they are",
    body: EditSchema,
    conditional: true,
    answers: { 200: ProjectSchema },
    handle: async ({ c, env, param, body, ifMatch }) => {
      const view = unwrap(await projectStub(env, param("id")).edit(body, ifMatch));
      return c.json(view, 200, { etag: projectTag(view) });
    },
  }),
  endpoint({
    method: "POST",
    path: "/api/projects/:id/edit/undo",
    access: "upload",
    summary: "Undo the last edit",
    conditional: true,
    answers: { 200: ProjectSchema },
    handle: async ({ c, env, param, ifMatch }) => {
      const view = unwrap(await projectStub(env, param("id")).edit(null, ifMatch));
      return c.json(view, 200, { etag: projectTag(view) });
    },
  }),
  endpoint({
    method: "POST",
    path: "/api/projects/:id/covers",
    access: "upload",
    summary: "Store a picture for an edit to name as the cover",
    body: CoverBody,
    bodyBytesMax: COVER_BODY_BYTES_MAX,
    answers: { 201: CoverAnswer },
    handle: async ({ c, env, param, body }) => {
      const cover = unwrap(await projectStub(env, param("id")).addCover(bytesOf(body.image), bytesOf(body.thumbnail)));
      return c.json({ cover }, 201);
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/projects/:id/cover",
    access: "view",
    summary: "The scene's picture: the chosen cover, or the poster; size=small: a thumbnail",
    query: z.object({ size: z.optional(z.enum(["small", "large"])), v: z.optional(z.string()) }),
    answers: { 200: "the bytes", 304: "not changed" },
    handle: async ({ c, env, param, query }) => serveCover(c, env, unwrap(await projectStub(env, param("id")).view()), query.size ?? "large"),
  }),
];

function bytesOf(base64: string): Uint8Array {
  try {
    return fromBase64(base64);
  } catch {
    throw new ApiError("BAD_REQUEST", "body: a JPEG in base64");
  }
}
