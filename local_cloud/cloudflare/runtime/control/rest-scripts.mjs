// Cloudflare's API of Worker scripts, answered from the registry: upload with bindings, migrations and assets,
// settings, secrets, schedules, address.
// Paths, fields and error numbers are those of developers.cloudflare.com/api; docs/cloudflare-provider.md marks guesses.
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { failure, readAnyJson, readForm, readJson, success } from "./envelope.mjs";
import { NotFound } from "./registry.mjs";
import { Refused } from "./rules.mjs";

export const SUBDOMAIN = "local";
const ABSENT = () => failure(404, 10007, "This Worker does not exist on your account.");
// Error numbers of the rules that have no number of their own.
const NUMBERS = { SCRIPT_INVALID: 10021, INVALID_COMPATIBILITY_DATE: 10021, NO_SUCH_BUCKET: 10085, DUPLICATE_BINDING: 10021, INVALID_CRON: 10100 };

/** Uploads of assets that were announced: token to {manifest, files}. */
export class AssetUploads {
  #sessions = new Map();

  open(manifest) {
    const token = randomBytes(24).toString("base64url");
    this.#sessions.set(token, { manifest, files: new Map() });
    return token;
  }

  get(token) {
    return this.#sessions.get(token);
  }

  take(token) {
    const session = this.#sessions.get(token);
    this.#sessions.delete(token);
    return session;
  }
}

/** {status, body}, or undefined if this is not a call about scripts. */
export async function answerScripts({ method, name, part, incoming }, registry, uploads) {
  if (name === undefined) return method === "GET" ? success(listScripts(registry)) : undefined;
  if (part === "assets-upload-session" && method === "POST") return openUpload(await readJson(incoming), uploads);
  if (part === undefined && method === "PUT") return uploadScript(name, await readForm(incoming), registry, uploads);
  const script = registry.list().find((one) => one.type === "WorkersScript" && one.id === name);
  if (script === undefined) return ABSENT();
  if (part === undefined && method === "DELETE") return deleteScript(registry, name);
  if (part === "settings" && method === "GET") return success({ bindings: shownBindings(script), compatibility_date: script.props.compatibilityDate });
  if (part === "secrets") return answerSecrets(method, script, incoming, registry);
  if (part === "schedules") return answerSchedules(method, name, incoming, registry);
  if (part === "subdomain") return answerAddress(method, name, incoming, registry);
  return undefined;
}

/** Files of an announced upload: a multipart body of base64 texts by hash. The last answer has the completion token. */
export async function answerAssetUpload(incoming, token, uploads) {
  const session = uploads.get(token);
  if (session === undefined) return failure(401, 10000, "Authentication error");
  for (const [hash, file] of await readForm(incoming)) {
    session.files.set(hash, Buffer.from(typeof file === "string" ? file : await file.text(), "base64"));
  }
  const missing = Object.values(session.manifest).filter(({ hash }) => !session.files.has(hash));
  return missing.length > 0 ? { ...success({}), status: 202 } : { ...success({ jwt: token }), status: 201 };
}

/** Deployed migration tags, as wrangler reads them. */
function listScripts(registry) {
  return registry
    .list()
    .filter(({ type }) => type === "WorkersScript")
    .map(({ id, props }) => ({
      id,
      etag: props.etag,
      migration_tag: props.migrationTag ?? null,
      created_on: props.createdOn,
      modified_on: props.modifiedOn,
    }));
}

/** The API returns the text of a plain_text binding, and never the value of a secret. */
function shownBindings({ props }) {
  return (props.bindings ?? []).map(({ name, type, text }) => ({ name, type, ...(type === "plain_text" ? { text } : {}) }));
}

function openUpload({ manifest = {} }, uploads) {
  const hashes = [...new Set(Object.values(manifest).map(({ hash }) => hash))];
  return success({ jwt: uploads.open(manifest), buckets: hashes.length > 0 ? [hashes] : [] });
}

async function uploadScript(name, form, registry, uploads) {
  let metadata;
  try {
    const part = form.get("metadata");
    metadata = JSON.parse(typeof part === "string" ? part : await part.text());
  } catch {
    return failure(400, 10021, "The metadata part is missing or is not JSON.");
  }
  const main = form.get(metadata.main_module ?? "");
  if (main === null) return failure(400, 10021, "There is no part for main_module.");
  const folder = await mkdtemp(path.join(tmpdir(), "local-script-"));
  try {
    const contentFile = path.join(folder, "module.js");
    await writeFile(contentFile, typeof main === "string" ? main : Buffer.from(await main.arrayBuffer()));
    const props = {
      contentFile,
      mainModule: metadata.main_module,
      compatibilityDate: metadata.compatibility_date,
      bindings: (metadata.bindings ?? []).map(camel),
      ...(metadata.migrations ? { migrations: camel(metadata.migrations) } : {}),
      ...(await assetsOf(metadata.assets, folder, uploads)),
    };
    const { props: deployed } = await registry.put("WorkersScript", name, props);
    return success({ id: name, etag: deployed.etag, migration_tag: deployed.migrationTag ?? null, created_on: deployed.createdOn, modified_on: deployed.modifiedOn });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return failure(400, typeof error.code === "number" ? error.code : (NUMBERS[error.code] ?? 10021), error.message);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function assetsOf(assets, folder, uploads) {
  if (assets?.jwt === undefined) return {};
  const session = uploads.take(assets.jwt);
  if (session === undefined) throw new Refused("SCRIPT_INVALID", "The assets' completion token is not valid.");
  const directory = path.join(folder, "assets");
  await mkdir(directory);
  for (const [file, { hash }] of Object.entries(session.manifest)) {
    const target = path.join(directory, path.normalize(`/${file}`));
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, session.files.get(hash) ?? Buffer.alloc(0));
  }
  return { assets: { directory, config: camel(assets.config ?? {}) } };
}

async function deleteScript(registry, name) {
  try {
    await registry.delete("WorkersScript", name);
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
    return ABSENT();
  }
  return success({ id: name });
}

/** A secret becomes a binding of the script, whose code runs on. */
async function answerSecrets(method, script, incoming, registry) {
  const { id, props } = script;
  const secrets = shownBindings(script).filter(({ type }) => type === "secret_text");
  if (method === "GET") return success(secrets);
  if (method !== "PUT") return undefined;
  const { name, text, type } = await readJson(incoming);
  await registry.bind(id, [...(props.bindings ?? []).filter((one) => one.name !== name), { name, text, type }]);
  return success({ name, type });
}

async function answerSchedules(method, name, incoming, registry) {
  const stored = registry.list().find((one) => one.type === "WorkersCronTrigger" && one.id === name);
  if (method === "GET") return success({ schedules: stored?.props.schedules ?? [] });
  if (method !== "PUT") return undefined;
  const schedules = await readAnyJson(incoming);
  try {
    await registry.put("WorkersCronTrigger", name, { schedules });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return failure(400, NUMBERS[error.code] ?? 10100, error.message);
  }
  return success({ schedules });
}

async function answerAddress(method, name, incoming, registry) {
  const stored = registry.list().find((one) => one.type === "WorkersScriptSubdomain" && one.id === name);
  if (method === "GET") return success({ enabled: stored?.props.enabled ?? false, previews_enabled: stored?.props.previewsEnabled ?? false });
  if (method !== "POST") return undefined;
  const { enabled, previews_enabled: previewsEnabled } = await readJson(incoming);
  const { props } = await registry.put("WorkersScriptSubdomain", name, { enabled, ...(previewsEnabled === undefined ? {} : { previewsEnabled }) });
  return success({ enabled: props.enabled, previews_enabled: props.previewsEnabled });
}

/** Field names of the API (snake_case) as those of the resources. Values stay; only lists of steps are gone through. */
function camel(fields) {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()),
      key === "steps" ? value.map(camel) : value,
    ]),
  );
}
