// The Worker's entry: mounts routes, names the objects, hands the hourly event to the sweeper.
// Holds no logic of its own.
import { Hono } from "hono/tiny";

import { indexStub } from "./account/stub.ts";
import type { Env } from "./env.ts";
import { ApiError } from "./errors.ts";
import { documentHeaders, securityHeaders } from "./http/headers.ts";
import { mount, notConfigured, packError, type App } from "./http/mount.ts";
import { endpoints, openEndpoints } from "./routes/index.ts";
import { PAGE_PATHS, isNavigation, missingPage, page, playerPage, sharePage } from "./routes/pages.ts";
import { HEALTH_PATH, openLoginLink } from "./routes/session.ts";
import { readSettings } from "./settings.ts";
import { sweepAbandoned } from "./sweeper.ts";

export { Index } from "./account/index-object.ts";
export { Project } from "./project/project-object.ts";

const app: App = new Hono();

app.use(securityHeaders);
// A partial configuration serves nothing: pages, too, would only fail later and less clearly.
app.use(async (c, next) => {
  const configured = readSettings(c.env);
  if (!configured.ok && c.req.path !== HEALTH_PATH) throw notConfigured(configured.problems);
  await next();
});
app.use("/api/*", async (c, next) => {
  await next();
  if (c.res.status !== 101 && !c.res.headers.has("cache-control")) c.res.headers.set("cache-control", "no-store");
});
mount(app, endpoints, openEndpoints);
app.get("/login/:code", openLoginLink);
app.get("/s/:token", documentHeaders, sharePage);
app.get("/e/:token", playerPage);
for (const path of PAGE_PATHS) app.get(path, documentHeaders, (c) => page(c));
// Last of all routes, and so only where nothing else answers.
app.get("*", async (c, next) => (isNavigation(c.req.raw) ? documentHeaders(c, async () => void (c.res = await missingPage(c))) : next()));
app.notFound((c) => packError(new ApiError("NOT_FOUND", "There is nothing at this path."), c));
app.onError(packError);

export default {
  fetch: app.fetch,
  async scheduled(_event, env): Promise<void> {
    // Neither waits for the other: a failed look must not keep abandoned photos.
    const ended = await Promise.allSettled([indexStub(env).look(), sweepAbandoned(env, Date.now())]);
    for (const one of ended) if (one.status === "rejected") console.error(`hourly event: ${String(one.reason)}`);
  },
} satisfies ExportedHandler<Env>;
