// Compares two JSON Schemas by structure, as far as pydantic and zod use the language.
// A keyword that it does not know is an error: what is not compared must not look compared.

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

const ANNOTATIONS = new Set(["$schema", "$defs", "title", "description", "default", "discriminator"]);
const COMPARED = new Set([
  ...["type", "const", "enum", "anyOf", "oneOf", "prefixItems", "pattern", "minLength", "maxLength", "format", "items", "minItems", "maxItems"],
  ...["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "properties", "required", "additionalProperties", "propertyNames", "minProperties"],
]);

/** Why a value that `given` allows may be refused by `taken`, one line for each place; empty if every such value is taken. */
export function gaps(given: JsonSchema, taken: JsonSchema): string[] {
  return compare(given, taken, "$", { given, taken });
}

type Roots = { readonly given: JsonSchema; readonly taken: JsonSchema };

function compare(givenOrRef: unknown, takenOrRef: unknown, path: string, roots: Roots): string[] {
  const given = resolve(givenOrRef, roots.given);
  const taken = resolve(takenOrRef, roots.taken);
  const of = (a: unknown, b: unknown, step = ""): string[] => compare(a, b, path + step, roots);
  if (alternatives(given)) return alternatives(given)?.flatMap((one) => of(one, taken)) ?? [];
  if (alternatives(taken)) {
    const tries = alternatives(taken)?.map((one) => of(given, one)) ?? [];
    return tries.some((found) => found.length === 0) ? [] : (tries[0] ?? []);
  }
  const values = valuesOf(given);
  if (values !== undefined) return values.filter((value) => !takes(taken, value)).map((value) => `${path}: ${JSON.stringify(value)} is not taken`);
  if (valuesOf(taken) !== undefined) return [`${path}: not only ${JSON.stringify(valuesOf(taken))}`];
  if (taken["type"] === undefined) return [];
  if (given["type"] !== taken["type"] && !(given["type"] === "integer" && taken["type"] === "number")) {
    return [`${path}: ${String(given["type"])} is not ${String(taken["type"])}`];
  }
  const places = prefix(taken).flatMap((schema, i) => of(prefix(given)[i] ?? given["items"], schema, `[${i}]`));
  return [...bounds(given, taken).map((line) => `${path}: ${line}`), ...places, ...(taken["items"] === undefined ? [] : of(given["items"], taken["items"], "[]")), ...keysOf(given, taken, path, of)];
}

function keysOf(given: JsonSchema, taken: JsonSchema, path: string, of: (a: unknown, b: unknown, step?: string) => string[]): string[] {
  if (given["type"] !== "object") return [];
  const [mine, theirs] = [properties(given), properties(taken)];
  const required = new Set(given["required"] as string[] | undefined);
  const absent = ((taken["required"] as string[] | undefined) ?? []).filter((name) => !required.has(name)).map((name) => `${path}.${name}: may be absent`);
  const others = taken["additionalProperties"];
  const named = Object.entries(mine).flatMap(([name, schema]) => {
    if (theirs[name] !== undefined) return of(schema, theirs[name], `.${name}`);
    return others === false ? [`${path}.${name}: is not taken`] : isSchema(others) ? of(schema, others, `.${name}`) : [];
  });
  const free = isSchema(given["additionalProperties"]) && isSchema(others) ? of(given["additionalProperties"], others, ".*") : [];
  const names = isSchema(taken["propertyNames"]) ? of(given["propertyNames"] ?? { type: "string" }, taken["propertyNames"], " names") : [];
  return [...absent, ...named, ...free, ...names];
}

function bounds(given: JsonSchema, taken: JsonSchema): string[] {
  const lower = (schema: JsonSchema, key: string): number => (typeof schema[key] === "number" && schema[key] > Number.MIN_SAFE_INTEGER ? schema[key] : Number.NEGATIVE_INFINITY);
  const upper = (schema: JsonSchema, key: string): number => (typeof schema[key] === "number" && schema[key] < Number.MAX_SAFE_INTEGER ? schema[key] : Number.POSITIVE_INFINITY);
  const found: string[] = [];
  for (const key of ["minLength", "minItems"]) if (lower(given, key) < lower(taken, key)) found.push(`${key} is lower`);
  for (const key of ["maxLength", "maxItems"]) if (upper(given, key) > upper(taken, key)) found.push(`${key} is higher`);
  if (Math.max(lower(given, "minProperties"), ((given["required"] as string[] | undefined) ?? []).length) < lower(taken, "minProperties")) found.push("has fewer keys");
  // Above 0 is at least 1 for a whole number.
  const least = (schema: JsonSchema): number => Math.max(lower(schema, "minimum"), lower(schema, "exclusiveMinimum") + (schema["type"] === "integer" ? 1 : 0));
  const most = (schema: JsonSchema): number => Math.min(upper(schema, "maximum"), upper(schema, "exclusiveMaximum"));
  const openBelow = taken["type"] !== "integer" && taken["exclusiveMinimum"] !== undefined && given["exclusiveMinimum"] === undefined;
  if (least(given) < least(taken) || (openBelow && least(given) === least(taken))) found.push("may be lower");
  if (most(given) > most(taken)) found.push("may be higher");
  // JavaScript escapes slashes where it prints a pattern.
  const words = (schema: JsonSchema, key: string): string => String(schema[key]).replaceAll("\\/", "/");
  for (const key of ["pattern", "format"]) if (taken[key] !== undefined && words(given, key) !== words(taken, key)) found.push(`${key} ${String(taken[key])} is not certain`);
  return found;
}

function takes(schema: JsonSchema, value: unknown): boolean {
  const allowed = valuesOf(schema);
  if (allowed !== undefined) return allowed.includes(value);
  if (schema["pattern"] !== undefined && !new RegExp(String(schema["pattern"])).test(String(value))) return false;
  return schema["type"] === undefined || schema["type"] === (value === null ? "null" : typeof value);
}

function resolve(schema: unknown, root: JsonSchema): JsonSchema {
  if (!isSchema(schema)) return {};
  const reference = schema["$ref"];
  if (typeof reference === "string") return resolve((root["$defs"] as JsonSchema)[reference.replace("#/$defs/", "")], root);
  const unknown = Object.keys(schema).filter((keyword) => !ANNOTATIONS.has(keyword) && !COMPARED.has(keyword));
  if (unknown.length > 0) throw new Error(`cannot compare: ${unknown.join(", ")}`);
  // zod writes a tuple without its length.
  return prefix(schema).length > 0 ? { minItems: prefix(schema).length, maxItems: prefix(schema).length, ...schema } : schema;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null;
}

function alternatives(schema: JsonSchema): readonly unknown[] | undefined {
  const { type } = schema;
  return Array.isArray(type) ? type.map((one: unknown) => ({ ...schema, type: one })) : ((schema["anyOf"] ?? schema["oneOf"]) as readonly unknown[] | undefined);
}

function prefix(schema: JsonSchema): readonly unknown[] {
  return (schema["prefixItems"] as readonly unknown[] | undefined) ?? [];
}

function valuesOf(schema: JsonSchema): readonly unknown[] | undefined {
  if (schema["const"] !== undefined) return [schema["const"]];
  return schema["type"] === "null" ? [null] : (schema["enum"] as readonly unknown[] | undefined);
}

function properties(schema: JsonSchema): Readonly<Record<string, unknown>> {
  return (schema["properties"] as Record<string, unknown> | undefined) ?? {};
}
