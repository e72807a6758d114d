// Every endpoint of the API in one list, for index.ts to mount and for the OpenAPI document.
// Order does not matter: no two paths overlap.
import * as z from "zod/mini";

import { fromBase64 } from "../crypto.ts";
import type { Endpoint, OpenEndpoint } from "../http/mount.ts";
import { artifactEndpoints } from "./artifacts.ts";
import { backupEndpoints } from "./backup.ts";
import { hookEndpoints } from "./hooks.ts";
import { jobEndpoints } from "./jobs.ts";
import { metricsEndpoints } from "./metrics.ts";
import { photoEndpoints } from "./photos.ts";
import { projectEndpoints } from "./projects.ts";
import { healthEndpoint, sessionEndpoints } from "./session.ts";

export const endpoints: readonly Endpoint[] = [
  ...sessionEndpoints,
  ...projectEndpoints,
  ...photoEndpoints,
  ...jobEndpoints,
  ...artifactEndpoints,
  ...hookEndpoints,
  ...metricsEndpoints,
  ...backupEndpoints,
];

/** Made by scripts/openapi.ts when the Worker is built: JSON, deflate, base64. */
declare const API_DESCRIPTION: string;
/** Stands for this Worker's address in API_DESCRIPTION. */
export const SERVER_MARK = "https://server.invalid";

/** Unpacked once: anybody can ask for it, without a rate limit. */
let description: Promise<string> | undefined;

function unpack(): Promise<string> {
  return new Response(new Blob([fromBase64(API_DESCRIPTION)]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).text();
}

const descriptionEndpoint: OpenEndpoint = {
  method: "GET",
  path: "/api/openapi.json",
  summary: "This description (OpenAPI 3.1)",
  answers: { 200: z.looseObject({ openapi: z.string() }) },
  handle: async (c) => {
    description ??= unpack();
    return c.body((await description).replace(JSON.stringify(SERVER_MARK), () => JSON.stringify(c.env.WORKER_URL)), 200, { "content-type": "application/json" });
  },
};

/** Open to anybody, without a rate limit. */
export const openEndpoints: readonly OpenEndpoint[] = [healthEndpoint, descriptionEndpoint];
