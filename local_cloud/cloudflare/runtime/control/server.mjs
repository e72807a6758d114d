// The control API over HTTP: reads a request, calls the registry, packs the answer.
// The rules are in rules.mjs. Every answer has the same envelope, and every call needs the key.
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

import { BadBody, readJson } from "./envelope.mjs";
import { answerRealApi, answerUploadOfAssets } from "./real-api.mjs";
import { NotFound } from "./registry.mjs";
import { Refused } from "./rules.mjs";
import { FaultInvalid } from "../serving/faults.mjs";

export function createControlServer({ registry, faults, apiToken, log }) {
  return createServer(async (incoming, outgoing) => {
    try {
      const { status, body } = await dispatch(incoming, { registry, faults, apiToken });
      send(outgoing, status, body);
    } catch (error) {
      send(outgoing, ...describe(error, log));
    }
  });
}

async function dispatch(incoming, { registry, faults, apiToken }) {
  const { pathname } = new URL(incoming.url, "http://control");
  if (pathname === "/health" && incoming.method === "GET") return { status: 200, body: { status: "ok" } };
  const uploaded = await answerUploadOfAssets(incoming);
  if (uploaded !== undefined) return uploaded;
  if (!isAuthorized(incoming.headers.authorization, apiToken)) {
    return { status: 401, body: errorBody("UNAUTHENTICATED", "The bearer key differs from the CLOUDFLARE_API_TOKEN of this runtime.") };
  }
  if (pathname === "/faults") return answerFaults(incoming, faults);
  const real = await answerRealApi(incoming, registry);
  if (real !== undefined) return real;
  const [root, type, ...rest] = pathname.split("/").slice(1).map(decodeURIComponent);
  const id = rest.join("/");
  if (root !== "resources") throw new NotFound(`${pathname} is not a path of this API.`);
  if (type === undefined && incoming.method === "GET") return { status: 200, body: { resources: registry.list() } };
  if (!type || !id) throw new NotFound(`${pathname} does not name a resource: /resources/<type>/<id>.`);
  switch (incoming.method) {
    case "GET":
      return { status: 200, body: { props: registry.get(type, id).props } };
    case "PUT":
      return { status: 200, body: { props: (await registry.put(type, id, await readProps(incoming))).props } };
    case "DELETE":
      await registry.delete(type, id);
      return { status: 204 };
    default:
      return { status: 405, body: errorBody("METHOD_NOT_ALLOWED", `${incoming.method} is not allowed here.`) };
  }
}

/** Scripted faults of the public port (serving/faults.mjs): GET lists, POST adds, DELETE removes all. */
async function answerFaults(incoming, faults) {
  if (incoming.method === "POST") return { status: 201, body: faults.add(await readJson(incoming)) };
  if (incoming.method === "GET") return { status: 200, body: { faults: faults.list() } };
  if (incoming.method !== "DELETE") return { status: 405, body: errorBody("METHOD_NOT_ALLOWED", `${incoming.method} is not allowed here.`) };
  faults.clear();
  return { status: 204 };
}

async function readProps(incoming) {
  const body = await readJson(incoming);
  if (typeof body.props !== "object" || body.props === null) throw new BadBody('The body must be {"props": {…}}.');
  return withoutNulls(body.props);
}

/** Pulumi sends null for values that are not set; the rules expect them to be absent. */
function withoutNulls(value) {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([name, inner]) => [name, withoutNulls(inner)]),
  );
}

function describe(error, log) {
  if (error instanceof NotFound) return [404, errorBody("NOT_FOUND", error.message)];
  if (error instanceof Refused) return [409, errorBody(error.code, error.message)];
  if (error instanceof BadBody || error instanceof FaultInvalid || error instanceof URIError) return [400, errorBody("BAD_REQUEST", error.message)];
  log(`control API failed: ${error.stack}`);
  return [500, errorBody("INTERNAL", error.message)];
}

function isAuthorized(header, apiToken) {
  const digest = (text) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(header ?? ""), digest(`Bearer ${apiToken}`));
}

const errorBody = (code, message) => ({ error: { code, message } });

function send(outgoing, status, body) {
  if (status === 204) return outgoing.writeHead(204).end();
  outgoing.writeHead(status, { "content-type": "application/json" });
  outgoing.end(`${JSON.stringify(body)}\n`);
}
