// Every endpoint of the API in one list: what index.ts mounts and what the OpenAPI document describes.
// Order does not matter: no two paths overlap.
import type { Endpoint } from "../http.ts";
import { artifactEndpoints } from "./artifacts.ts";
import { hookEndpoints } from "./hooks.ts";
import { jobEndpoints } from "./jobs.ts";
import { metricsEndpoints } from "./metrics.ts";
import { photoEndpoints } from "./photos.ts";
import { projectEndpoints } from "./projects.ts";
import { sessionEndpoints } from "./session.ts";

export const endpoints: readonly Endpoint[] = [
  ...sessionEndpoints,
  ...projectEndpoints,
  ...photoEndpoints,
  ...jobEndpoints,
  ...artifactEndpoints,
  ...hookEndpoints,
  ...metricsEndpoints,
];
