// Photos: presigned uploads in batches, the list of what arrived, deletion; and the estimate, which depends on their number.
// No photo bytes pass through here.
import * as z from "zod/mini";

import { EstimateAnswer, PartsAnswer, PhotosAnswer, UploadsAnswer } from "../../shared/contracts/api.ts";
import { PHOTOS_PER_CALL_MAX, THUMBNAILS_PER_CALL_MAX } from "../../shared/limits.ts";
import { PRESETS, type Preset } from "../../shared/stages.ts";
import { estimate } from "../account/estimate.ts";
import { checkCard } from "../account/quota.ts";
import { indexStub } from "../account/stub.ts";
import { unwrap } from "../errors.ts";
import { endpoint, type Call, type Endpoint } from "../http/mount.ts";
import { PhotoDeclarationSchema } from "../project/photos/rules.ts";
import { projectStub } from "../project/stub.ts";
import { bytesOf, intParameter, jpeg } from "../schema.ts";
import { servePhoto } from "./artifacts.ts";

const DeclareBody = z.strictObject({ photos: z.array(PhotoDeclarationSchema).check(z.minLength(1), z.maxLength(PHOTOS_PER_CALL_MAX)) });

/** Characters of base64: 45 kB, three times what the page makes. */
const THUMBNAIL_LENGTH_MAX = 60_000;
const ThumbnailsBody = z.strictObject({
  thumbnails: z.array(z.strictObject({ as: z.string().check(z.maxLength(20)), image: jpeg(THUMBNAIL_LENGTH_MAX) })).check(z.minLength(1), z.maxLength(THUMBNAILS_PER_CALL_MAX)),
});

/** As the bucket answers it, without its quotes. */
const Etag = z.string().check(z.regex(/^[\w+/=.-]{1,1024}$/));
const PartsBody = z.strictObject({ stored: z.array(z.strictObject({ number: z.int().check(z.gte(1), z.lte(10_000)), etag: Etag })).check(z.maxLength(PHOTOS_PER_CALL_MAX)) });

const PHOTOS_IN_ESTIMATE_MAX = 10_000;

export const photoEndpoints: readonly Endpoint[] = [
  endpoint({
    method: "POST",
    path: "/api/projects/:id/photos",
    access: "upload",
    summary: "Declare photos and get one presigned PUT for each, bound to type, exact size and first writer; clips go up in parts",
    body: DeclareBody,
    idempotent: true,
    answers: { 201: UploadsAnswer },
    handle: async ({ c, env, identity, param, body, idempotencyKey }) => {
      const caller = identity?.tokenSha256 ?? "";
      const uploads = unwrap(await projectStub(env, param("id")).declarePhotos(body.photos, caller, idempotencyKey));
      return c.json({ uploads }, 201, { "cache-control": "no-store" });
    },
  }),
  endpoint({
    method: "POST",
    path: "/api/projects/:id/photos/:as/parts",
    access: "upload",
    summary: "Report stored parts of a clip and get presigned PUTs for the next missing ones; when none is missing, the clip is assembled",
    body: PartsBody,
    answers: { 200: PartsAnswer },
    handle: async ({ c, env, param, body }) => c.json(unwrap(await projectStub(env, param("id")).nextParts(param("as"), body.stored)), 200, { "cache-control": "no-store" }),
  }),
  endpoint({
    method: "GET",
    path: "/api/projects/:id/photos",
    access: "view",
    summary: "Declared photos, and which of them have arrived",
    answers: { 200: PhotosAnswer },
    handle: async ({ c, env, param }) => {
      const photos = unwrap(await projectStub(env, param("id")).photos());
      return c.json({ photos: photos.map(({ name, as, type, bytes, uploaded, thumbnail, frames }) => ({ name, as, type, bytes, uploaded, thumbnail, frames })) });
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/projects/:id/photos/:as",
    access: "view",
    summary: "One photo: to download as it was uploaded, or size=small: its thumbnail",
    query: z.object({ size: z.optional(z.enum(["small", "original"])) }),
    manyAtOnce: true,
    answers: { 200: "the bytes", 304: "not changed" },
    handle: async ({ c, env, param, query }) => servePhoto(c, env, param("id"), unwrap(await projectStub(env, param("id")).knownPhotos()).find(({ as }) => as === param("as")), query.size === "small"),
  }),
  endpoint({
    method: "POST",
    path: "/api/projects/:id/thumbnails",
    access: "upload",
    summary: "Store thumbnails of photos, JPEG in base64",
    body: ThumbnailsBody,
    bodyBytesMax: THUMBNAILS_PER_CALL_MAX * (THUMBNAIL_LENGTH_MAX + 100),
    answers: { 204: "nothing" },
    handle: async ({ env, param, body }) => {
      const thumbnails = body.thumbnails.map(({ as, image }) => ({ as, image: bytesOf(image) }));
      unwrap(await projectStub(env, param("id")).addThumbnails(thumbnails));
      return new Response(null, { status: 204 });
    },
  }),
  endpoint({
    method: "DELETE",
    path: "/api/projects/:id/photos/:as",
    access: "upload",
    summary: "Delete one photo",
    answers: { 204: "nothing" },
    handle: async ({ env, param }) => {
      unwrap(await projectStub(env, param("id")).deletePhoto(param("as")));
      return new Response(null, { status: 204 });
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/projects/:id/estimate",
    access: "view",
    summary: "Seconds and US dollars that a job of this project will take",
    query: z.object({ preset: z.enum(PRESETS) }),
    answers: { 200: EstimateAnswer },
    handle: async (call) => {
      const { photos } = unwrap(await projectStub(call.env, call.param("id")).view());
      return answerEstimate(call, call.query.preset, photos.count);
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/estimate",
    access: "view",
    summary: "The same for any number of photos, before anything is uploaded",
    query: z.object({ preset: z.enum(PRESETS), photos: intParameter(0, PHOTOS_IN_ESTIMATE_MAX) }),
    answers: { 200: EstimateAnswer },
    handle: async (call) => answerEstimate(call, call.query.preset, call.query.photos),
  }),
];

async function answerEstimate({ c, env, settings }: Call<unknown, unknown>, preset: Preset, photos: number): Promise<Response> {
  const index = indexStub(env);
  const expected = estimate(preset, photos, await index.samples(), settings.price);
  const misfit = checkCard(preset, photos, settings.card);
  const { place, refusal } = misfit === null ? await index.outlook(expected.usd) : { place: null, refusal: misfit };
  return c.json({ ...expected, place, refusal: refusal === null ? null : { message: refusal.message, hint: refusal.hint ?? null } });
}
