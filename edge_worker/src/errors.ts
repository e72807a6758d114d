// The one error envelope of the API: {"error": {"code", "message", "hint"?}}, with stable codes.
// Never carries a token, a signed address or another service's raw text.
import type * as z from "zod/mini";

import type { ErrorAnswer } from "../shared/contracts/api.ts";

export const ERROR_STATUS = {
  BAD_REQUEST: 400,
  UNAUTHENTICATED: 401,
  BUDGET_EXCEEDED: 402,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  PRECONDITION_FAILED: 412,
  TOO_LARGE: 413,
  TOO_MANY_REQUESTS: 429,
  INTERNAL: 500,
  UPSTREAM: 502,
  NOT_CONFIGURED: 503,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

export interface ErrorOptions {
  /** What the caller can do next. */
  readonly hint?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A status more exact than the code's own. */
  readonly status?: number | undefined;
}

/** Any answer other than success: thrown anywhere below a route, packed in one place. */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.hint = options.hint;
    this.headers = options.headers ?? {};
    this.status = options.status ?? ERROR_STATUS[code];
  }

  toResponse(): Response {
    return errorResponse(this.toRefusal());
  }

  toRefusal(): Refusal {
    return { refused: true, code: this.code, message: this.message, hint: this.hint, headers: this.headers, status: this.status };
  }
}

/** An ApiError on its way from an object to the Worker: plain data, since thrown errors lose their class. */
export interface Refusal {
  readonly refused: true;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Absent: the code's own. */
  readonly status?: number | undefined;
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === "object" && value !== null && (value as { refused?: unknown }).refused === true;
}

/** Returns the value, or throws the refusal as the ApiError that it was. */
export function unwrap<T>(value: T): Exclude<T, Refusal> {
  if (!isRefusal(value)) return value as Exclude<T, Refusal>;
  const { code, message, hint, headers, status } = value;
  throw new ApiError(code, message, { hint, headers, status });
}

/** Turns an ApiError into plain data. */
export async function guard<T>(work: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiError) return error.toRefusal();
    throw error;
  }
}

export function errorResponse({ code, message, hint, headers, status }: Omit<Refusal, "refused">): Response {
  const body: z.infer<typeof ErrorAnswer> = { error: { code, message, ...(hint === undefined ? {} : { hint }) } };
  // RFC 9110: a 401 names what the caller can send.
  const challenge = code === "UNAUTHENTICATED" ? { "www-authenticate": 'Bearer realm="splat"' } : {};
  return Response.json(body, { status: status ?? ERROR_STATUS[code], headers: { "cache-control": "no-store", ...challenge, ...headers } });
}
