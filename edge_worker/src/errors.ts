// The one error envelope of the API: {"error": {"code", "message", "hint"?}}, with stable codes.
// Never carries a token, a signed address or another service's raw text.

export const ERROR_STATUS = {
  BAD_REQUEST: 400,
  UNAUTHENTICATED: 401,
  BUDGET_EXCEEDED: 402,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  TOO_LARGE: 413,
  TOO_MANY_REQUESTS: 429,
  INTERNAL: 500,
  UPSTREAM: 502,
  NOT_CONFIGURED: 503,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

export interface ErrorBody {
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly hint?: string };
}

export interface ErrorOptions {
  /** What the caller can do next. */
  readonly hint?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A status more exact than the code's own. */
  readonly status?: number;
}

/** An answer other than success, thrown anywhere below a route and packed in one place. */
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
    return errorResponse(this.toRefusal(), this.status);
  }

  toRefusal(): Refusal {
    return { refused: true, code: this.code, message: this.message, hint: this.hint, headers: this.headers };
  }
}

/** The form in which an object's refusal crosses to the Worker: plain data, since errors lose their class on the way. */
export interface Refusal {
  readonly refused: true;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === "object" && value !== null && (value as { refused?: unknown }).refused === true;
}

/** Returns the value, or throws the refusal as the ApiError that it was. */
export function unwrap<T>(value: T): Exclude<T, Refusal> {
  if (!isRefusal(value)) return value as Exclude<T, Refusal>;
  throw new ApiError(value.code, value.message, {
    ...(value.hint === undefined ? {} : { hint: value.hint }),
    headers: value.headers ?? {},
  });
}

export function errorResponse(refusal: Omit<Refusal, "refused">, status: number = ERROR_STATUS[refusal.code]): Response {
  const { code, message, hint, headers } = refusal;
  const body: ErrorBody = { error: { code, message, ...(hint === undefined ? {} : { hint }) } };
  return Response.json(body, { status, headers: { "cache-control": "no-store", ...headers } });
}
