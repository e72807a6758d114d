// Every endpoint of the API in one list, for index.ts to mount and for the OpenAPI document.
// Order does not matter: no two paths overlap.
import * as z from "zod/mini";

import type { Endpoint, OpenEndpoint } from "../http/mount.ts";
import { describeApi } from "../http/openapi.ts";
import { artifactEndpoints } from "./artifacts.ts";
import { hookEndpoints } from "./hooks.ts";
import { jobEndpoints } from "./jobs.ts";
import { metricsEndpoints } from "./metrics.ts";
import { photoEndpoints } from "./photos.ts";
import { projectEndpoints } from "./projects.ts";
import { healthEndpoint, sessionEndpoints, version } from "./session.ts";

export const endpoints: readonly Endpoint[] = [
  ...sessionEndpoints,
  ...projectEndpoints,
  ...photoEndpoints,
  ...jobEndpoints,
  ...artifactEndpoints,
  ...hookEndpoints,
  ...metricsEndpoints,
];

/** Made once: anybody can ask for it, without a rate limit. */
let description: string | undefined;

const descriptionEndpoint: OpenEndpoint = {
  method: "GET",
  path: "/api/openapi.json",
  summary: "This description (OpenAPI 3.1)",
  answers: { 200: z.looseObject({ openapi: z.string() }) },
  handle: (c) => {
    const open = openEndpoints.map((one): Endpoint => ({ ...one, access: "none", handle: () => Promise.reject(new Error("described only")) }));
    description ??= JSON.stringify(describeApi([...open, ...endpoints], version, c.env.WORKER_URL));
    return c.body(description, 200, { "content-type": "application/json" });
  },
};

/** Open to anybody, without a rate limit. */
export const openEndpoints: readonly OpenEndpoint[] = [healthEndpoint, descriptionEndpoint];
