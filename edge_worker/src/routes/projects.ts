// Projects: create, list, read, rename, delete, watch; the edit of a finished scene, and its picture.
// Thin: reads the call, asks the project's object, packs the answer.
import * as z from "zod/mini";

import { CoverAnswer, EstimateAnswer, ProjectsAnswer } from "../../shared/contracts/api.ts";
import { EditSchema } from "../../shared/contracts/edit.ts";
import { EXTRA_NAMES } from "../../shared/contracts/job-input.ts";
import { ProjectSchema } from "../../shared/contracts/project.ts";
import { PROJECT_NAME_LENGTH_MAX } from "../../shared/limits.ts";
import { estimateEdit } from "../account/estimate.ts";
import { indexStub } from "../account/stub.ts";
import { derivedId, randomId } from "../crypto.ts";
import { ApiError, unwrap } from "../errors.ts";
import { endpoint, type Endpoint } from "../http/mount.ts";
import { PROJECT_ID_LETTERS, projectStub } from "../project/stub.ts";
import { isKnown, projectTag } from "../project/version.ts";
import { WATCH_UNTIL_HEADER } from "../project/watchers.ts";
import { MaxCost, bytesOf, intParameter, jpeg, words } from "../schema.ts";
import { serveCover } from "./artifacts.ts";

const PAGE_DEFAULT = 50;
const PAGE_MAX = 100;

const NameBody = z.strictObject({ name: words(PROJECT_NAME_LENGTH_MAX, z.trim(), z.normalize("NFC")) });

/** Creation time and id of the last project of a page. */
export const CURSOR_FORM = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)~(p_[0-9a-z]{16})$/;

const ListQuery = z.object({
  cursor: z.optional(z.string().check(z.regex(CURSOR_FORM, "not a cursor from a list"))),
  limit: z.optional(intParameter(1, PAGE_MAX)),
});

const COVER_LENGTH_MAX = 700_000;
const THUMBNAIL_LENGTH_MAX = 70_000;

/** Two sizes of one picture, JPEG in base64. */
const CoverBody = z.strictObject({ image: jpeg(COVER_LENGTH_MAX), thumbnail: jpeg(THUMBNAIL_LENGTH_MAX) });
const COVER_BODY_BYTES_MAX = COVER_LENGTH_MAX + THUMBNAIL_LENGTH_MAX + 1000;

export const projectEndpoints: readonly Endpoint[] = [
  endpoint({
    method: "POST",
    path: "/api/projects",
    access: "upload",
    summary: "Create a project",
    body: NameBody,
    idempotent: true,
    answers: { 201: ProjectSchema },
    handle: async ({ c, env, body, idempotencyKey }) => {
      // The same key of the same caller names the same project.
      const id = idempotencyKey === null ? randomId("p", PROJECT_ID_LETTERS) : await derivedId("p", PROJECT_ID_LETTERS, `project\n${idempotencyKey}`);
      return c.json(unwrap(await projectStub(env, id).create(id, body.name)), 201);
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/projects",
    access: "view",
    summary: "Projects, newest first; progress and report are left out",
    query: ListQuery,
    answers: { 200: ProjectsAnswer },
    handle: async ({ c, env, query }) => {
      const after = query.cursor === undefined ? null : readCursor(query.cursor);
      const { projects, more } = await indexStub(env).list(query.limit ?? PAGE_DEFAULT, after);
      const last = projects.at(-1);
      return c.json({ projects, cursor: more && last !== undefined ? `${last.created_at}~${last.id}` : null });
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/projects/:id",
    access: "view",
    summary: "One project",
    answers: { 200: ProjectSchema, 304: "not changed" },
    handle: async ({ c, env, param }) => {
      const view = unwrap(await projectStub(env, param("id")).view());
      const etag = projectTag(view);
      return isKnown(c.req.header("if-none-match"), etag) ? new Response(null, { status: 304, headers: { etag } }) : c.json(view, 200, { etag });
    },
  }),
  endpoint({
    method: "PATCH",
    path: "/api/projects/:id",
    access: "upload",
    summary: "Rename a project",
    body: NameBody,
    conditional: true,
    answers: { 200: ProjectSchema },
    handle: async ({ c, env, param, body, ifMatch }) => {
      const view = unwrap(await projectStub(env, param("id")).rename(body.name, ifMatch));
      return c.json(view, 200, { etag: projectTag(view) });
    },
  }),
  endpoint({
    method: "DELETE",
    path: "/api/projects/:id",
    access: "operate",
    summary: "Delete a project, its job, photos and artifacts",
    conditional: true,
    answers: { 204: "nothing" },
    handle: async ({ env, param, ifMatch }) => {
      unwrap(await projectStub(env, param("id")).remove(ifMatch));
      return new Response(null, { status: 204 });
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/projects/:id/events",
    access: "view",
    summary: "Websocket: {type: \"project\", project}, a snapshot first, then one message per change",
    answers: { 101: "a websocket", 426: "asked for without an upgrade" },
    handle: async ({ c, env, identity, param }) => {
      const stub = projectStub(env, param("id"));
      unwrap(await stub.view());
      if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
        throw new ApiError("BAD_REQUEST", "This path is a websocket.", { hint: "Poll GET /api/projects/:id instead.", status: 426 });
      }
      return stub.fetch("https://project/events", { headers: { upgrade: "websocket", [WATCH_UNTIL_HEADER]: String(identity?.expiresAt ?? "") } });
    },
  }),
  endpoint({
    method: "PUT",
    path: "/api/projects/:id/edit",
    access: "upload",
    summary: "Edit the scene that is shown: start view, cover, up, crops, floaters; the files stay as they are until the edit is applied",
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
    path: "/api/projects/:id/edit/apply",
    access: "upload",
    summary: "Start a job that applies the edit to every file of the scene, as a new attempt; also: files to make besides",
    body: z.strictObject({ also: z.optional(z.array(z.enum(EXTRA_NAMES)).check(z.maxLength(EXTRA_NAMES.length))), max_cost_usd: MaxCost }),
    bodyOptional: true,
    idempotent: true,
    answers: { 202: ProjectSchema },
    handle: async ({ c, env, param, body, idempotencyKey }) => {
      const also = EXTRA_NAMES.filter((name) => body.also?.includes(name));
      return c.json(unwrap(await projectStub(env, param("id")).applyEdit(also, idempotencyKey, body.max_cost_usd ?? null)), 202);
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/projects/:id/edit/estimate",
    access: "view",
    summary: "Seconds and price of applying the edit, and whether it would start",
    answers: { 200: EstimateAnswer },
    handle: async ({ c, env, settings, param }) => {
      const { report } = unwrap(await projectStub(env, param("id")).view());
      if (report === null) throw new ApiError("CONFLICT", "Only a finished scene can be edited.");
      const index = indexStub(env);
      const expected = estimateEdit(report.metrics.gaussians, await index.editSamples(), settings.price);
      const { refusal, place } = await index.outlook(expected.usd);
      return c.json({ ...expected, place, refusal: refusal === null ? null : { message: refusal.message, hint: refusal.hint ?? null } });
    },
  }),
  endpoint({
    method: "PUT",
    path: "/api/projects/:id/shown",
    access: "upload",
    summary: "Show the scene of another attempt, for members and behind share links",
    body: z.strictObject({ attempt: z.int().check(z.positive()) }),
    conditional: true,
    answers: { 200: ProjectSchema },
    handle: async ({ c, env, param, body, ifMatch }) => {
      const view = unwrap(await projectStub(env, param("id")).choose(body.attempt, ifMatch));
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

export function readCursor(text: string): { createdAt: string; id: string } {
  const [createdAt = "", id = ""] = text.split("~");
  return { createdAt, id };
}
