// The answers of the API besides the project itself (docs/contracts.md): the server is described by them, the page reads with them.
import * as z from "zod/mini";

import { PhotoLimitsSchema } from "../limits.ts";
import { SOURCE_MEDIA_TYPES } from "../photo-types.ts";
import { SCOPES } from "../scopes.ts";
import { PRESETS, STATES } from "../stages.ts";
import { PriceSchema } from "./price.ts";
import { ProjectSchema } from "./project.ts";

const Time = z.iso.datetime();

export const SessionAnswer = z.object({ name: z.string(), scopes: z.array(z.enum(SCOPES)) });
export type Session = z.infer<typeof SessionAnswer>;

/** push_key: what a browser subscribes to messages with (applicationServerKey); null: there are none. */
export const SettingsAnswer = z.object({ limits: PhotoLimitsSchema, presets: z.array(z.enum(PRESETS)), price: PriceSchema, push_key: z._default(z.nullable(z.string()), null) });
export type Settings = z.infer<typeof SettingsAnswer>;

export const LoginLinkAnswer = z.object({ url: z.url(), expires_at: Time });
export type LoginLink = z.infer<typeof LoginLinkAnswer>;

/** One attempt in the account's books. usd: what it cost once it ended, before that the amount reserved for it. */
const JobSchema = z.object({
  project_id: z.string(),
  /** null: the project was deleted. */
  name: z.nullable(z.string()),
  attempt: z.int(),
  preset: z.enum(PRESETS),
  photos: z.int(),
  /** It applied an edit, and trained nothing. */
  edit: z._default(z.boolean(), false),
  /** null: of a deleted project, and not settled yet. */
  state: z.nullable(z.enum(STATES)),
  submitted_at: Time,
  /** When a worker began; null if none has, and of attempts before the current one. */
  started_at: z.nullable(Time),
  ended_at: z.nullable(Time),
  usd: z.number(),
  /** Seconds that the worker billed; null without a report. */
  seconds: z.nullable(z.number()),
  stages: z.array(z.object({ stage: z.string(), seconds: z.number() })),
  error: ProjectSchema.shape.error,
});
export const JobsAnswer = z.object({ jobs: z.array(JobSchema), cursor: z.nullable(z.string()) });
export type ListedJob = z.infer<typeof JobSchema>;

export const ProjectsAnswer = z.object({ projects: z.array(ProjectSchema), cursor: z.nullable(z.string()) });

/** One message of a project's websocket. */
export const ProjectEvent = z.object({ type: z.literal("project"), project: ProjectSchema });

/** A photo goes up in one PUT, a clip in parts. */
const PutSchema = z.object({
  name: z.string(),
  as: z.string(),
  method: z.literal("PUT"),
  url: z.url(),
  headers: z.record(z.string(), z.string()),
  expires_at: Time,
});
const UploadSchema = z.discriminatedUnion("method", [PutSchema, z.object({ name: z.string(), as: z.string(), method: z.literal("PARTS") })]);
export const UploadsAnswer = z.object({ uploads: z.array(UploadSchema) });
export type PutUpload = z.infer<typeof PutSchema>;
export type Upload = z.infer<typeof UploadSchema>;

/** Part n (from 1) of a clip: its bytes from `offset`, exactly `bytes` of them. */
const PartSchema = z.object({ number: z.int(), offset: z.int(), bytes: z.int(), url: z.url(), expires_at: Time });
/** stored: bytes of the parts that were reported. parts: the next missing ones. complete: the clip is assembled. */
export const PartsAnswer = z.object({ stored: z.int(), parts: z.array(PartSchema), complete: z.boolean() });
export type Part = z.infer<typeof PartSchema>;
export type Parts = z.infer<typeof PartsAnswer>;

/** thumbnail: whether a small picture of it is stored. frames: how many photos a clip counts for; null for a photo. */
const StoredPhotoSchema = z.object({
  name: z.string(),
  as: z.string(),
  type: z.enum(SOURCE_MEDIA_TYPES),
  bytes: z.int(),
  uploaded: z.boolean(),
  thumbnail: z._default(z.boolean(), false),
  frames: z._default(z.nullable(z.int()), null),
});
export const PhotosAnswer = z.object({ photos: z.array(StoredPhotoSchema) });
export type StoredPhoto = z.infer<typeof StoredPhotoSchema>;

/**
 * basis: where the figures come from, in a sentence. place: the place in the queue (1: next) if other jobs come first.
 * refusal: why such a job would not be started now.
 */
export const EstimateAnswer = z.object({
  seconds: z.number(),
  usd: z.number(),
  basis: z.string(),
  price: PriceSchema,
  place: z._default(z.nullable(z.int()), null),
  refusal: z._default(z.nullable(z.object({ message: z.string(), hint: z.nullable(z.string()) })), null),
});
export type Estimate = z.infer<typeof EstimateAnswer>;

/** Sites that may show the scene in a frame; none: any site. null: no site may. */
const Embed = z.nullable(z.array(z.string()));

/** embed_url: the address for a frame, or null. */
export const ShareAnswer = z.object({ id: z.string(), url: z.url(), expires_at: z.nullable(Time), embed: Embed, embed_url: z.nullable(z.url()) });
export type Share = z.infer<typeof ShareAnswer>;

const ListedShareSchema = z.object({ id: z.string(), created_at: Time, expires_at: z.nullable(Time), embed: Embed, views: z.int() });
export const SharesAnswer = z.object({ shares: z.array(ListedShareSchema) });
export type ListedShare = z.infer<typeof ListedShareSchema>;

export const CoverAnswer = z.object({ cover: z.int() });

/** Every answer other than success. The page also reads codes that are new to it. */
export const ErrorAnswer = z.object({ error: z.object({ code: z.string(), message: z.string(), hint: z.optional(z.string()) }) });
