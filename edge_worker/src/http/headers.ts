// Security headers of documents and API answers.
// Assets get theirs from web/public/_headers; nothing here reflects what a request says.

const COMMON: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** Once told, a browser never asks this host in clear again. */
export const SECURE_ONLY = { "strict-transport-security": "max-age=31536000" } as const;

export function apiHeaders(): Readonly<Record<string, string>> {
  return { ...COMMON, "content-security-policy": "default-src 'none'; frame-ancestors 'none'", "x-frame-options": "DENY" };
}

/** s3Endpoint: where the page uploads to. */
export function documentHeaders(s3Endpoint: string, secure: boolean): Readonly<Record<string, string>> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "worker-src 'self' blob:",
    `connect-src 'self' ${new URL(s3Endpoint).origin}`,
    "img-src 'self' blob:",
    "font-src 'self'",
    "style-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ];
  return {
    ...COMMON,
    "content-security-policy": policy.join("; "),
    "permissions-policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
    "x-frame-options": "DENY",
    "cache-control": "no-cache",
    // Links that are shared are unlisted, and nothing else here is for search engines either.
    "x-robots-tag": "noindex",
    ...(secure ? SECURE_ONLY : {}),
  };
}
