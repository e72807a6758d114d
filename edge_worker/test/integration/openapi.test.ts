// The API describes itself truly: every route that is served, every answer as described; and creating calls can be repeated.
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { Cloud } from "./support/cloud.ts";
import { newProject, startJob, uploadPhotos } from "./support/scenes.ts";

let cloud: Cloud;
beforeAll(async () => {
  cloud = await Cloud.start();
});
afterAll(() => cloud.stop());

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, unknown>>;
  readonly security: readonly unknown[];
}
type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

async function description(): Promise<{ openapi: string; paths: Paths; info: { version: string } }> {
  return (await cloud.call("GET", "/api/openapi.json", { as: null })).json;
}

test("every route of the sources is described, and nothing else", async () => {
  const folder = path.resolve(import.meta.dirname, "../../src/routes");
  const files = await Promise.all((await readdir(folder)).map((file) => readFile(path.join(folder, file), "utf8")));
  const routes = files.flatMap((text) => [...text.matchAll(/method: "(\w+)",\s+path: "([^"]+)"/g)].map(([, method = "", route = ""]) => `${method} ${route.replace(/:(\w+)/g, "{$1}")}`));
  const { paths } = await description();
  const described = Object.entries(paths).flatMap(([route, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${route}`));
  expect(described.sort()).toEqual(routes.sort());
  expect(described.length).toBeGreaterThan(25);
});

test("every described route is served: it demands a sign-in, or answers", async () => {
  const { paths } = await description();
  for (const [route, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const address = route.replace("{id}", "p_0000000000000000").replace(/\{\w+\}/g, "x");
      const { status } = await cloud.call(method.toUpperCase(), address, { as: null });
      const open = operation.security.length === 0;
      expect([method, route, open ? [200, 403, 404].includes(status) : status === 401]).toEqual([method, route, true]);
    }
  }
});

test("operation ids are unique and every path parameter is described", async () => {
  const { paths } = await description();
  const operations = Object.entries(paths).flatMap(([route, methods]) => Object.values(methods).map((operation) => ({ route, operation })));
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { route, operation } of operations) {
    const inPath = operation.parameters.filter((parameter) => parameter.in === "path").map(({ name }) => `{${name}}`);
    expect([...route.matchAll(/\{\w+\}/g)].map(([name]) => name)).toEqual(inPath);
    expect(operation.responses).toHaveProperty("default");
  }
});

test("the same Idempotency-Key creates one project, one job, one link", async () => {
  const headers = { "idempotency-key": "upload-42" };
  const create = (name: string): ReturnType<Cloud["call"]> => cloud.call("POST", "/api/projects", { as: "upload", headers, body: { name } });
  const [first, second] = [await create("Teapot"), await create("Teapot")];
  expect([first.status, second.status, second.json.id]).toEqual([201, 201, first.json.id]);
  expect((await create("Kettle")).status).toBe(409);
  const other = await cloud.call("POST", "/api/projects", { as: "operate", headers, body: { name: "Teapot" } });
  expect(other.json.id).not.toBe(first.json.id);

  const { id } = first.json;
  await uploadPhotos(cloud, id, 5);
  const start = (): ReturnType<Cloud["call"]> => cloud.call("POST", `/api/projects/${id}/jobs`, { as: "upload", headers, body: { preset: "preview" } });
  expect([(await start()).status, (await start()).status]).toEqual([202, 202]);
  expect(cloud.runpod.jobsOf(id)).toHaveLength(1);

  const share = async (): Promise<{ id: string; url: string }> => (await cloud.call("POST", `/api/projects/${id}/shares`, { headers })).json;
  expect(await share()).toEqual(await share());
  expect((await cloud.call("GET", `/api/projects/${id}/shares`)).json.shares).toHaveLength(1);
});

test("a malformed key is refused", async () => {
  expect((await cloud.call("POST", "/api/projects", { headers: { "idempotency-key": "two words" }, body: { name: "x" } })).status).toBe(400);
});

test("lists come in pages, newest first, without gaps or duplicates while projects are created", async () => {
  const made: string[] = [];
  for (let index = 0; index < 7; index += 1) made.push(await newProject(cloud, `page ${index}`));
  const seen: string[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const answer = await cloud.call("GET", `/api/projects?limit=3${cursor === "" ? "" : `&cursor=${cursor}`}`, { as: "view" });
    seen.push(...answer.json.projects.map(({ id }: { id: string }) => id));
    cursor = answer.json.cursor;
    if (seen.length === 3) await newProject(cloud, "made meanwhile");
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen.filter((id) => made.includes(id))).toEqual([...made].reverse());
  expect((await cloud.call("GET", "/api/projects?cursor=nonsense")).status).toBe(400);
  expect((await cloud.call("GET", "/api/projects?limit=1000")).status).toBe(400);
});

test("a job's own ceiling, the list of attempts, and the switch that stops new jobs, over HTTP", async () => {
  const id = await newProject(cloud);
  await uploadPhotos(cloud, id, 5);
  const start = (body: object): ReturnType<Cloud["call"]> => cloud.call("POST", `/api/projects/${id}/jobs`, { body: { preset: "preview", ...body } });
  const dear = await start({ max_cost_usd: 0.000_1 });
  expect([dear.status, dear.json.error.code]).toEqual([402, "BUDGET_EXCEEDED"]);
  expect((await start({ max_cost_usd: 0 })).status).toBe(400);
  const stopped = await cloud.call("POST", "/api/stop", { body: { reason: "Maintenance." } });
  expect(stopped.json).toMatchObject({ stopped: { reason: "Maintenance." } });
  const refused = await start({});
  expect([refused.status, refused.json.error.message]).toEqual([503, "This service is stopped. Maintenance."]);
  expect((await cloud.call("GET", "/api/metrics")).json).toMatchObject(stopped.json);
  expect((await cloud.call("GET", "/api/metrics", { headers: { accept: "text/plain" } })).text).toContain("\nsplat_stopped 1\n");
  expect((await cloud.call("POST", "/api/resume")).json).toEqual({ stopped: null });
  expect((await start({ max_cost_usd: 5 })).status).toBe(202);
  await cloud.call("POST", `/api/projects/${id}/jobs/cancel`);
  expect((await cloud.call("POST", `/api/projects/${id}/jobs/retry`, { body: {} })).status).toBe(202);
  expect(cloud.runpod.jobsOf(id).map(({ input }) => input.limits.max_cost_usd)).toEqual([5, 5]);
  await cloud.call("POST", `/api/projects/${id}/jobs/cancel`);
  const attempts: number[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: Awaited<ReturnType<Cloud["call"]>> = await cloud.call("GET", `/api/jobs?limit=1${cursor === "" ? "" : `&cursor=${cursor}`}`, { as: "view" });
    for (const one of page.json.jobs) if (one.project_id === id) attempts.push(one.attempt);
    cursor = page.json.cursor;
  }
  expect(attempts).toEqual([2, 1]);
  expect((await cloud.call("GET", "/api/jobs?cursor=nonsense")).status).toBe(400);
});

test("limits on money, jobs and memory stop a job before it starts and show their numbers", async () => {
  const id = await newProject(cloud);
  await uploadPhotos(cloud, id, 5);
  const start = (): ReturnType<Cloud["call"]> => cloud.call("POST", `/api/projects/${id}/jobs`, { body: { preset: "preview" } });
  await cloud.deploy({ limits: { budget_usd_per_month: 0.01 } });
  const poor = await start();
  expect([poor.status, poor.json.error.code]).toEqual([402, "BUDGET_EXCEEDED"]);
  // Known before anything is uploaded.
  const { refusal } = (await cloud.call("GET", "/api/estimate?preset=preview&photos=5")).json;
  expect(refusal).toEqual({ message: poor.json.error.message, hint: poor.json.error.hint });
  await cloud.deploy({ limits: { jobs_per_day: 0 } });
  expect((await start()).json.error.message).toBe("The daily limit of 0 jobs is reached until 00:00 UTC.");
  await cloud.deploy({ bindings: { CARD: JSON.stringify({ name: "RTX 2000 Ada", memory_gb: 16, photos_max: { preview: 4, standard: 4, high: 4 } }) } });
  const large = await start();
  expect([large.status, large.json.error.message]).toEqual([409, "5 photos with preset preview need more memory than the GPU has (RTX 2000 Ada, 16 GB). At most 4 fit."]);
  const misfit = (await cloud.call("GET", `/api/projects/${id}/estimate?preset=preview`)).json.refusal;
  expect(misfit).toEqual({ message: large.json.error.message, hint: "Use at most 4 photos." });
  expect(cloud.runpod.jobsOf(id)).toEqual([]);
  expect((await cloud.call("GET", `/api/projects/${id}`)).json.state).toBe("ready");
  await cloud.deploy();
  await startJob(cloud);
});
