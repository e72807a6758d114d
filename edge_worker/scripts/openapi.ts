// The API's description (OpenAPI 3.1), made from the table and the zod schemas that serve it.
// Made when the Worker is built: the conversion of schemas would be a tenth of its bundle. describe-api.mjs runs it.
import * as z from "zod/mini";

import { OUTPUT_NAMES } from "../shared/contracts/job-input.ts";
import { SCOPES } from "../shared/scopes.ts";
import { ERROR_STATUS } from "../src/errors.ts";
import type { Access, Endpoint } from "../src/http/mount.ts";
import { SERVER_MARK, endpoints, openEndpoints } from "../src/routes/index.ts";
import { version } from "../src/routes/session.ts";

type Json = Readonly<Record<string, unknown>>;

/** Forms of path parameters. Anything else in their place is not found. */
const PARAMETERS: Readonly<Record<string, { readonly description: string; readonly schema: Json }>> = {
  id: { description: "A project's id", schema: { type: "string", pattern: "^p_[0-9a-z]{16}$" } },
  as: { description: "The server-made name of a photo", schema: { type: "string", pattern: "^[0-9]{4,9}\\.[a-z]{3,4}$" } },
  name: { description: "The name of an artifact", schema: { type: "string", enum: OUTPUT_NAMES } },
  share_id: { description: "The id of a share link", schema: { type: "string", pattern: "^s_[0-9a-z]{10}$" } },
  token: { description: "What follows /s/ in a share link", schema: { type: "string", pattern: "^p_[0-9a-z]{16}\\.[A-Za-z0-9_-]{32}$" } },
  capability: {
    description: "A signed capability for one attempt",
    schema: { type: "string", pattern: "^v1\\.p_[0-9a-z]{16}\\.[1-9][0-9]{0,8}\\.[A-Za-z0-9_-]{22}\\.[0-9]{1,12}\\.[A-Za-z0-9_-]{43}$" },
  },
};

const ErrorSchema = z.strictObject({
  error: z.strictObject({ code: z.enum(Object.keys(ERROR_STATUS)), message: z.string(), hint: z.optional(z.string()) }),
});

/** All endpoints, also those that work without a configuration. The Worker writes its own address in place of SERVER_MARK. */
export function describeApi(): Json {
  const open = openEndpoints.map((one): Endpoint => ({ ...one, access: "none", handle: () => Promise.reject(new Error("described only")) }));
  const paths: Record<string, Record<string, Json>> = {};
  for (const one of [...open, ...endpoints]) {
    const path = one.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [one.method.toLowerCase()]: describeOperation(one) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Photos to splats", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    servers: [{ url: SERVER_MARK }],
    paths,
    components: {
      schemas: { Error: toSchema(ErrorSchema, "output") },
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: `A token of this stack; scopes: ${SCOPES.join(" < ")}.` },
        session: { type: "apiKey", in: "cookie", name: "session", description: "Set by a one-time link; __Host-session over https." },
      },
    },
  };
}

function describeOperation(one: Endpoint): Json {
  const operationId = `${one.method.toLowerCase()}${one.path.replace(/^\/api/, "").replace(/[/:_.-]+(\w)/g, (_, letter: string) => letter.toUpperCase())}`;
  return {
    operationId,
    summary: one.summary,
    ...securityOf(one.access),
    parameters: [...pathParameters(one.path), ...queryParameters(one.query), ...(one.idempotent === true ? [IDEMPOTENCY_PARAMETER] : []), ...(one.conditional === true ? [IF_MATCH_PARAMETER] : [])],
    ...(one.body === undefined
      ? {}
      : { requestBody: { required: one.bodyOptional !== true, content: { "application/json": { schema: toSchema(one.body, "input") } } } }),
    responses: {
      ...Object.fromEntries(Object.entries(one.answers).map(([status, answer]) => [status, describeAnswer(answer)])),
      default: { description: "An error", content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } } },
    },
  };
}

function securityOf(access: Access): Json {
  if (access === "none" || access === "capability") return { security: [] };
  return { security: [{ token: [] }, { session: [] }], "x-scope": access };
}

function describeAnswer(answer: z.ZodMiniType | string): Json {
  if (typeof answer === "string") return { description: answer };
  return { description: "OK", content: { "application/json": { schema: toSchema(answer, "output") } } };
}

const IDEMPOTENCY_PARAMETER: Json = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description: "A repeated key creates nothing new and gets the same answer",
  schema: { type: "string", pattern: "^[!-~]{1,200}$" },
};

const IF_MATCH_PARAMETER: Json = {
  name: "If-Match",
  in: "header",
  required: false,
  description: "The ETag of the project as it was read: 412 if it has changed since",
  schema: { type: "string" },
};

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    ...PARAMETERS[name],
  }));
}

function queryParameters(query: z.ZodMiniType | undefined): Json[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = toSchema(query, "output") as { properties?: Record<string, Json>; required?: string[] };
  return Object.entries(properties).map(([name, schema]) => ({ name, in: "query", required: required.includes(name), schema }));
}

function toSchema(schema: z.ZodMiniType, io: "input" | "output"): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any", override: ({ jsonSchema }) => plainTuple(jsonSchema) });
  return rest;
}

/** A tuple of equal items as a list of that length: several readers of OpenAPI, such as schemathesis, reject `prefixItems`. */
function plainTuple(schema: z.core.JSONSchema.BaseSchema): void {
  const [first, ...others] = schema.prefixItems ?? [];
  if (first === undefined || others.some((one) => JSON.stringify(one) !== JSON.stringify(first))) return;
  Object.assign(schema, { items: first, minItems: 1 + others.length, maxItems: 1 + others.length });
  delete schema.prefixItems;
}
