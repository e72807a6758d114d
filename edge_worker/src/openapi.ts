// The API's description (OpenAPI 3.1), made from the same table and zod schemas that serve it.
// Made once per isolate, on the first request for it.
import * as z from "zod/mini";

import { SCOPES } from "./env.ts";
import { ERROR_STATUS } from "./errors.ts";
import type { Access, Endpoint } from "./http.ts";

type Json = Readonly<Record<string, unknown>>;

const PARAMETER_HELP: Readonly<Record<string, string>> = {
  id: "A project's id",
  as: "The server-made name of a photo",
  name: "The name of an artifact",
  share_id: "The id of a share link",
  token: "What follows /s/ in a share link",
  capability: "An address that is its own proof, made for one attempt",
};

const ERROR_SCHEMA: Json = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["code", "message"],
      properties: {
        code: { type: "string", enum: Object.keys(ERROR_STATUS) },
        message: { type: "string" },
        hint: { type: "string" },
      },
      additionalProperties: false,
    },
  },
  additionalProperties: false,
};

/** endpoints: all that is served, the ones that work unconfigured too. */
export function describeApi(endpoints: readonly Endpoint[], version: string, server: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const one of endpoints) {
    const path = one.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [one.method.toLowerCase()]: describeOperation(one) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Photos to splats", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    servers: [{ url: server }],
    paths,
    components: {
      schemas: { Error: ERROR_SCHEMA },
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
    parameters: [...pathParameters(one.path), ...queryParameters(one.query), ...(one.idempotent === true ? [IDEMPOTENCY_PARAMETER] : [])],
    ...(one.body === undefined
      ? {}
      : { requestBody: { required: one.bodyOptional !== true, content: { "application/json": { schema: toSchema(one.body, "input") } } } }),
    responses: {
      ...Object.fromEntries(Object.entries(one.answers).map(([status, answer]) => [status, describeAnswer(answer)])),
      default: { description: "A refusal", content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } } },
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
  description: "The same key again makes nothing new and answers the same thing",
  schema: { type: "string", minLength: 1, maxLength: 200 },
};

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    description: PARAMETER_HELP[name],
    schema: { type: "string" },
  }));
}

function queryParameters(query: z.ZodMiniType | undefined): Json[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = toSchema(query, "output") as { properties?: Record<string, Json>; required?: string[] };
  return Object.entries(properties).map(([name, schema]) => ({ name, in: "query", required: required.includes(name), schema }));
}

function toSchema(schema: z.ZodMiniType, io: "input" | "output"): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
