// One function per call of the edge API. Every failure becomes an ApiError that can be shown as it is.
// Never retries and holds no state: callers decide what to do next.
import * as z from "zod/mini";

import * as answers from "../../../shared/contracts/api.ts";
import type { Edit } from "../../../shared/contracts/edit.ts";
import type { ExtraName } from "../../../shared/contracts/job-input.ts";
import { ProjectSchema, SharedProjectSchema } from "../../../shared/contracts/project.ts";

/** A failed call. `status` is 0 when the server could not be reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint?: string | null,
    /** Seconds from the Retry-After header, if the response has one. */
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** Turns anything thrown into an error that a page can show. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  console.error(error);
  return new ApiError(0, "INTERNAL", "Something went wrong in the app.", "Try again. If it keeps happening, reload the page.");
}

export interface PhotoDeclaration {
  name: string;
  type: string;
  bytes: number;
  sha256?: string;
  /** The length of a clip. */
  seconds?: number;
}

export async function call<T extends z.ZodMiniType>(method: string, path: string, reply: T, body?: unknown, onceKey?: string): Promise<z.infer<T>> {
  const response = await send(method, path, body, onceKey);
  const parsed = z.safeParse(reply, await response.json().catch(() => undefined));
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join(".") ?? "";
  throw new ApiError(response.status, "BAD_ANSWER", `The server's response has no valid "${where}".`, "Reload the page. It may be older than the server.");
}

/** onceKey: an Idempotency-Key, so that the call can be repeated. */
async function send(method: string, path: string, body?: unknown, onceKey?: string): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (onceKey !== undefined) headers["idempotency-key"] = onceKey;
  let response: Response;
  try {
    // The API never redirects. A redirect comes from a sign-in service in front of it.
    response = await fetch(path, { method, headers, credentials: "same-origin", redirect: "manual", ...(body !== undefined && { body: JSON.stringify(body) }) });
  } catch (cause) {
    const error = new ApiError(0, "OFFLINE", "Could not reach the server.", "Check your connection, then try again.");
    error.cause = cause;
    throw error;
  }
  if (response.ok) return response;
  if (response.type === "opaqueredirect") throw new ApiError(401, "UNAUTHENTICATED", "Your session has ended.", "Reload the page to sign in again.");
  const wait = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfterS = Number.isFinite(wait) ? wait : null;
  const envelope = z.safeParse(answers.ErrorAnswer, await response.json().catch(() => undefined));
  if (envelope.success) {
    const { code, message, hint } = envelope.data.error;
    throw new ApiError(response.status, code, message, hint, retryAfterS);
  }
  // Not our error format: something between the app and the service answered.
  throw new ApiError(response.status, "HTTP", `The service returned an unexpected response (${response.status}).`, "Try again in a minute. If it keeps happening, contact whoever runs this service.", retryAfterS);
}

const id = encodeURIComponent;

export const api = {
  session: () => call("GET", "/api/session", answers.SessionAnswer),
  signOut: async (): Promise<void> => void (await send("DELETE", "/api/session")),
  loginLink: () => call("POST", "/api/login-links", answers.LoginLinkAnswer, {}),
  settings: () => call("GET", "/api/settings", answers.SettingsAnswer),
  projects: (cursor: string | null, limit: number) =>
    call("GET", `/api/projects?limit=${limit}${cursor === null ? "" : `&cursor=${id(cursor)}`}`, answers.ProjectsAnswer),
  createProject: (name: string) => call("POST", "/api/projects", ProjectSchema, { name }),
  project: (projectId: string) => call("GET", `/api/projects/${id(projectId)}`, ProjectSchema),
  rename: (projectId: string, name: string) => call("PATCH", `/api/projects/${id(projectId)}`, ProjectSchema, { name }),
  remove: async (projectId: string): Promise<void> => void (await send("DELETE", `/api/projects/${id(projectId)}`)),
  declare: (projectId: string, photos: readonly PhotoDeclaration[]) =>
    call("POST", `/api/projects/${id(projectId)}/photos`, answers.UploadsAnswer, { photos }),
  parts: (projectId: string, as: string, stored: readonly { number: number; etag: string }[]) =>
    call("POST", `/api/projects/${id(projectId)}/photos/${id(as)}/parts`, answers.PartsAnswer, { stored }),
  photos: (projectId: string) => call("GET", `/api/projects/${id(projectId)}/photos`, answers.PhotosAnswer),
  addThumbnails: async (projectId: string, thumbnails: readonly { as: string; image: string }[]): Promise<void> =>
    void (await send("POST", `/api/projects/${id(projectId)}/thumbnails`, { thumbnails })),
  removePhoto: async (projectId: string, as: string): Promise<void> =>
    void (await send("DELETE", `/api/projects/${id(projectId)}/photos/${id(as)}`)),
  estimate: (preset: string, photos: number) =>
    call("GET", `/api/estimate?preset=${id(preset)}&photos=${photos}`, answers.EstimateAnswer),
  start: (projectId: string, preset: string, onceKey?: string) =>
    call("POST", `/api/projects/${id(projectId)}/jobs`, ProjectSchema, { preset }, onceKey),
  notify: async (projectId: string, browser: PushSubscriptionJSON): Promise<void> => void (await send("POST", `/api/projects/${id(projectId)}/notifications`, browser)),
  cancel: (projectId: string) => call("POST", `/api/projects/${id(projectId)}/jobs/cancel`, ProjectSchema),
  retry: (projectId: string) => call("POST", `/api/projects/${id(projectId)}/jobs/retry`, ProjectSchema),
  shares: (projectId: string) => call("GET", `/api/projects/${id(projectId)}/shares`, answers.SharesAnswer),
  edit: (projectId: string, edit: Edit) => call("PUT", `/api/projects/${id(projectId)}/edit`, ProjectSchema, edit),
  undoEdit: (projectId: string) => call("POST", `/api/projects/${id(projectId)}/edit/undo`, ProjectSchema),
  /** also: files to make besides. */
  applyEdit: (projectId: string, also: readonly ExtraName[]) => call("POST", `/api/projects/${id(projectId)}/edit/apply`, ProjectSchema, { also }),
  editEstimate: (projectId: string) => call("GET", `/api/projects/${id(projectId)}/edit/estimate`, answers.EstimateAnswer),
  choose: (projectId: string, attempt: number) => call("PUT", `/api/projects/${id(projectId)}/shown`, ProjectSchema, { attempt }),
  addCover: (projectId: string, image: string, thumbnail: string) => call("POST", `/api/projects/${id(projectId)}/covers`, answers.CoverAnswer, { image, thumbnail }),
  share: (projectId: string, expiresInS: number | null, embed: readonly string[] | null) =>
    call("POST", `/api/projects/${id(projectId)}/shares`, answers.ShareAnswer, { expires_in_s: expiresInS, embed }),
  revoke: async (projectId: string, shareId: string): Promise<void> =>
    void (await send("DELETE", `/api/projects/${id(projectId)}/shares/${id(shareId)}`)),
  shared: (token: string) => call("GET", `/api/shared/${id(token)}`, SharedProjectSchema),
};

/** Where a project's artifacts are read from: its own address, or a share link. */
export interface Source {
  artifact(name: string, version?: number | string | null): string;
}

function source(base: string): Source {
  return {
    artifact: (name, version) => `${base}/artifacts/${id(name)}${version === undefined || version === null ? "" : `?v=${version}`}`,
  };
}

export const ownSource = (projectId: string): Source => source(`/api/projects/${id(projectId)}`);
export const sharedSource = (token: string): Source => source(`/api/shared/${id(token)}`);
/** Where a photo is saved from, or its thumbnail shown from. */
export const photoUrl = (projectId: string, as: string, small = false): string => `/api/projects/${id(projectId)}/photos/${id(as)}${small ? "?size=small" : ""}`;
export const eventsUrl = (projectId: string): string =>
  `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/projects/${id(projectId)}/events`;
