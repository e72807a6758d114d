// Security headers: a policy that allows nothing for every answer, and one that lets the page work for documents.
// Assets get theirs from web/public/_headers; nothing here reflects what a request says.
import type { Context, MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";

import type { Env } from "../env.ts";
import { settingsOf } from "../settings.ts";

type Middleware = MiddlewareHandler<{ Bindings: Env }>;

/** Browsers that have seen this never ask the host over plain HTTP again. Only for https: the local stack has none. */
const STRICT_TRANSPORT = "max-age=31536000";

const COMMON = { strictTransportSecurity: false, xFrameOptions: "DENY" } as const;
const setStrict = secureHeaders({
  ...COMMON,
  overwrite: false,
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
});

/** For every answer. A header that a handler set stays; the old header against frames would forbid what a newer policy allows. */
export const securityHeaders: Middleware = async (c, next) => {
  await next();
  // The headers of a websocket's answer cannot change.
  if (c.res.status === 101) return;
  await setStrict(c, () => Promise.resolve());
  const framed = c.res.headers.get("content-security-policy")?.includes("frame-ancestors 'none'") === false;
  if (framed) c.res.headers.delete("x-frame-options");
  if (c.env.WORKER_URL?.startsWith("https://")) c.res.headers.set("strict-transport-security", STRICT_TRANSPORT);
};

const POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  workerSrc: ["'self'", "blob:"],
  connectSrc: ["'self'", (c: Context<{ Bindings: Env }>) => new URL(settingsOf(c.env).s3.endpoint).origin],
  imgSrc: ["'self'", "blob:"],
  // The page shows one frame of a chosen clip.
  mediaSrc: ["blob:"],
  fontSrc: ["'self'"],
  styleSrc: ["'self'"],
  manifestSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
};
const PERMISSIONS = { camera: ["self"], geolocation: [], microphone: [], payment: [], usb: [] };

/** For documents: the page loads its own files only and uploads to the bucket. */
export const documentHeaders: Middleware = secureHeaders({ ...COMMON, contentSecurityPolicy: POLICY, permissionsPolicy: PERMISSIONS });

/** For the player, which other sites show in a frame: it reads from here only, and has no camera. sites: none for any; null: no site may. */
export function playerHeaders(sites: readonly string[] | null): Middleware {
  const frameAncestors = sites === null ? ["'none'"] : sites.length === 0 ? ["*"] : [...sites];
  return secureHeaders({
    ...COMMON,
    crossOriginResourcePolicy: "cross-origin",
    contentSecurityPolicy: { ...POLICY, connectSrc: ["'self'"], formAction: ["'none'"], frameAncestors },
    permissionsPolicy: { ...PERMISSIONS, camera: [] },
  });
}
