// Every endpoint of the API in one list, for index.ts to mount and for the OpenAPI document.
// Order does not matter: no two paths overlap.
import * as z from "zod/mini";

import type { Endpoint, OpenEndpoint } from "../http/mount.ts";
import { artifactEndpoints } from "./artifacts.ts";
import { backupEndpoints } from "./backup.ts";
import { hookEndpoints } from "./hooks.ts";
import { jobEndpoints } from "./jobs.ts";
import { metricsEndpoints } from "./metrics.ts";
import { operationsEndpoints } from "./operations.ts";
import { photoEndpoints } from "./photos.ts";
import { projectEndpoints } from "./projects.ts";
import { shareEndpoints } from "./shares.ts";
import { healthEndpoint, sessionEndpoints } from "./session.ts";

export const endpoints: readonly Endpoint[] = [
  ...sessionEndpoints,
  ...projectEndpoints,
  ...photoEndpoints,
  ...jobEndpoints,
  ...artifactEndpoints,
  ...shareEndpoints,
  ...hookEndpoints,
  ...metricsEndpoints,
  ...backupEndpoints,
  ...operationsEndpoints,
];

/** Made by scripts/openapi.ts when the Worker is built; an asset. */
const DESCRIPTION_PATH = "/openapi.json";
/** Stands for this Worker's address in the description. */
export const SERVER_MARK = "https://server.invalid";

const descriptionEndpoint: OpenEndpoint = {
  method: "GET",
  path: "/api/openapi.json",
  summary: "This description (OpenAPI 3.1)",
  answers: { 200: z.looseObject({ openapi: z.string() }) },
  handle: async (c) => {
    const asset = await c.env.ASSETS.fetch(new Request(new URL(DESCRIPTION_PATH, c.req.url)));
    if (!asset.ok) throw new Error("The assets have no description of the API. Build them with `npm run build`.");
    return c.body((await asset.text()).replace(JSON.stringify(SERVER_MARK), () => JSON.stringify(c.env.WORKER_URL)), 200, { "content-type": "application/json" });
  },
};

/** Open to anybody, without a rate limit. */
export const openEndpoints: readonly OpenEndpoint[] = [healthEndpoint, descriptionEndpoint];
