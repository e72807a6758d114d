// The bindings' values, read once into typed settings.
// Never returns a partial configuration: it names what is missing, and every route but health answers 503.
import * as z from "zod/mini";

import { PriceSchema, type Price } from "../shared/contracts/price.ts";
import { CardSchema, LimitsSchema, type Card, type Limits } from "../shared/limits.ts";
import { SCOPES } from "../shared/scopes.ts";
import type { Env } from "./env.ts";
import { outgoingAddress } from "./outgoing.ts";
import { parseJson } from "./schema.ts";

const TokenSchema = z.object({
  name: z.string().check(z.minLength(1)),
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  scopes: z.array(z.enum(SCOPES)).check(z.minLength(1)),
  expires_at: z.nullish(z.iso.datetime({ offset: true })),
});
export type ApiToken = z.infer<typeof TokenSchema>;

/** team: the issuer's address; aud: the application's audience tag; operators: addresses that get `operate`. */
const AccessSchema = z.object({
  team: z.string().check(z.regex(/^https?:\/\/[^/]+$/, "an address without a path")),
  aud: z.string().check(z.minLength(1)),
  operators: z.array(z.string()),
  others: z.nullable(z.enum(SCOPES)),
});
export type AccessSettings = z.infer<typeof AccessSchema>;

const SECRET_FORM = /^[A-Za-z0-9+/]{43}=$/;
const HookKeysSchema = z.array(z.string().check(z.regex(SECRET_FORM, "32 bytes in base64"))).check(z.minLength(1), z.maxLength(2));

export interface Settings {
  readonly stack: string;
  readonly workerUrl: string;
  readonly s3: { readonly endpoint: string; readonly bucket: string; readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly runpod: { readonly jobUrl: string; readonly endpointId: string; readonly apiKey: string };
  readonly price: Price;
  readonly limits: Limits;
  /** null: what fits on the stack's cards is unknown. */
  readonly card: Card | null;
  /** Current key first; the second only verifies. */
  readonly hookKeys: readonly string[];
  readonly tokens: readonly ApiToken[];
  readonly access: AccessSettings | null;
  /** Signs messages to browsers (VAPID): 32 bytes in base64. null: none are sent. */
  readonly pushKey: string | null;
  /** Where alerts go; null: nowhere. */
  readonly alertWebhook: URL | null;
}

export type SettingsResult = { readonly ok: true; readonly settings: Settings } | { readonly ok: false; readonly problems: readonly string[] };

const cache = new WeakMap<object, SettingsResult>();

/** Reads all bindings; the result is cached for each environment object, which lives as long as the isolate. */
export function readSettings(env: Env): SettingsResult {
  const known = cache.get(env);
  if (known !== undefined) return known;
  const result = parseSettings(env as unknown as Readonly<Record<string, unknown>>);
  cache.set(env, result);
  return result;
}

/** Pure part of readSettings; problems name the binding and the reason, never its value. */
export function parseSettings(env: Readonly<Record<string, unknown>>): SettingsResult {
  const problems: string[] = [];
  const text = (name: string): string => {
    const value = env[name];
    if (typeof value === "string" && value.trim() !== "") return value;
    problems.push(`${name} is not set`);
    return "";
  };
  const json = <T>(name: string, schema: z.ZodMiniType<T>): T | undefined => {
    const value = text(name);
    if (value === "") return undefined;
    const parsed = schema.safeParse(parseJson(value));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    problems.push(`${name} is not valid: ${[issue?.path.join("."), issue?.message].filter(Boolean).join(": ")}`);
    return undefined;
  };
  const url = (name: string): string => {
    const value = text(name).replace(/\/+$/, "");
    if (value !== "" && !/^https?:\/\/[^/]/.test(value)) problems.push(`${name} is not an http(s) address`);
    return value;
  };
  const outgoing = (name: string, from: string): URL | null => {
    const address = outgoingAddress(text(name), from);
    if (typeof address !== "string") return address;
    problems.push(`${name} ${address}`);
    return null;
  };
  const price = json("PRICE", PriceSchema);
  const limits = json("LIMITS", LimitsSchema);
  const hookKeys = json("HOOK_KEYS", HookKeysSchema);
  const tokens = json("API_TOKENS", z.array(TokenSchema));
  const pushKey = env["PUSH_KEY"] === undefined ? null : text("PUSH_KEY");
  if (pushKey !== null && pushKey !== "" && !SECRET_FORM.test(pushKey)) problems.push("PUSH_KEY is not 32 bytes in base64");
  const access = env["ACCESS"] === undefined ? null : (json("ACCESS", AccessSchema) ?? null);
  const card = env["CARD"] === undefined ? null : (json("CARD", z.nullable(CardSchema)) ?? null);
  if (tokens?.length === 0 && access === null) {
    problems.push("API_TOKENS is empty and ACCESS is not set, so nobody can sign in");
  }
  const workerUrl = url("WORKER_URL");
  const settings = {
    stack: text("STACK"),
    workerUrl,
    alertWebhook: env["ALERT_WEBHOOK"] === undefined ? null : outgoing("ALERT_WEBHOOK", workerUrl),
    s3: {
      endpoint: url("S3_ENDPOINT"),
      bucket: text("S3_BUCKET"),
      accessKeyId: text("S3_ACCESS_KEY_ID"),
      secretAccessKey: text("S3_SECRET_ACCESS_KEY"),
    },
    runpod: { jobUrl: url("RUNPOD_JOB_URL"), endpointId: text("RUNPOD_ENDPOINT_ID"), apiKey: text("RUNPOD_API_KEY") },
  };
  if (problems.length > 0 || !price || !limits || !hookKeys || !tokens) return { ok: false, problems };
  return { ok: true, settings: { ...settings, price, limits, card, hookKeys, tokens, access, pushKey } };
}

/** For code that runs only behind the configuration check (objects and routes below it). */
export function settingsOf(env: Env): Settings {
  const result = readSettings(env);
  if (!result.ok) throw new Error(`not configured: ${result.problems.join("; ")}`);
  return result.settings;
}
