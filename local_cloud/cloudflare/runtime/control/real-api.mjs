// The calls to Cloudflare's own API that the Pulumi program makes itself, without its provider.
// Paths, parameters and envelope are those of api.cloudflare.com/client/v4; other calls are not answered.
import { NotFound } from "./registry.mjs";
import { Refused } from "./rules.mjs";

const PER_PAGE_DEFAULT = 20;
const PER_PAGE_MAX = 50;

/** {status, body}, or undefined if the path is not one of these. */
export async function answerRealApi({ method, url, headers }, registry) {
  const { pathname, searchParams } = new URL(url, "http://control");
  const [, what, id, part] = /^\/accounts\/[^/]+\/(workers\/scripts|r2\/buckets|tokens)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(pathname) ?? [];
  const name = decodeURIComponent(id ?? "");
  if (method === "GET" && what === "r2/buckets" && id !== undefined && part === undefined) return getBucket(registry, name, headers);
  if (method === "GET" && what === "workers/scripts" && part === "settings") return getScriptSettings(registry, name);
  if (part !== undefined) return undefined;
  if (method === "DELETE" && what === "workers/scripts" && id !== undefined) return deleteScript(registry, name);
  if (method === "DELETE" && what === "r2/buckets" && id !== undefined) return deleteBucket(registry, name, headers);
  if (method === "GET" && what === "workers/scripts" && id === undefined) return success(listScripts(registry));
  if (method === "GET" && what === "tokens" && id === undefined) return listTokens(registry, searchParams);
  if (method === "DELETE" && what === "tokens" && id !== undefined) return deleteToken(registry, decodeURIComponent(id));
  return undefined;
}

/** Deployed migration tags, as wrangler reads them. */
function listScripts(registry) {
  return ofType(registry, "WorkersScript").map(({ id, props }) => ({
    id,
    etag: props.etag,
    migration_tag: props.migrationTag ?? null,
    created_on: props.createdOn,
    modified_on: props.modifiedOn,
  }));
}

/** A bucket, if the header names its jurisdiction; it does not exist in any other. */
function getBucket(registry, name, headers) {
  const bucket = registry.list().find((one) => one.type === "R2Bucket" && one.id === name);
  if (bucket === undefined || bucket.props.jurisdiction !== (headers["cf-r2-jurisdiction"] ?? "default")) {
    return failure(404, 10006, "The specified bucket does not exist.");
  }
  const { jurisdiction, location, storageClass, creationDate } = bucket.props;
  return success({ name, jurisdiction, location, storage_class: storageClass, creation_date: creationDate });
}

/** A script's bindings. The API returns the text of a plain_text binding, and never the value of a secret. */
function getScriptSettings(registry, name) {
  const script = registry.list().find((one) => one.type === "WorkersScript" && one.id === name);
  if (script === undefined) return failure(404, 10007, "This Worker does not exist on your account.");
  const bindings = (script.props.bindings ?? []).map(({ name: key, type, text }) => ({ name: key, type, ...(type === "plain_text" ? { text } : {}) }));
  return success({ bindings, compatibility_date: script.props.compatibilityDate });
}

async function deleteScript(registry, name) {
  try {
    await registry.delete("WorkersScript", name);
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
    return failure(404, 10007, "This Worker does not exist on your account.");
  }
  return success({ id: name });
}

/** Deletes only an empty bucket, as R2 does. */
async function deleteBucket(registry, name, headers) {
  const found = getBucket(registry, name, headers);
  if (found.status !== 200) return found;
  try {
    await registry.delete("R2Bucket", name);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return failure(409, 10008, "The bucket you tried to delete is not empty.");
  }
  return success({});
}

/** A page of tokens, never their values. */
function listTokens(registry, searchParams) {
  const page = wholeNumber(searchParams.get("page"), 1, Number.MAX_SAFE_INTEGER);
  const perPage = wholeNumber(searchParams.get("per_page"), PER_PAGE_DEFAULT, PER_PAGE_MAX);
  const all = ofType(registry, "AccountToken").map(({ id, props }) => ({
    id,
    name: props.name,
    status: props.status,
    issued_on: props.issuedOn,
    modified_on: props.modifiedOn,
  }));
  const result = all.slice((page - 1) * perPage, page * perPage);
  return success(result, { result_info: { page, per_page: perPage, count: result.length, total_count: all.length } });
}

async function deleteToken(registry, id) {
  try {
    await registry.delete("AccountToken", id);
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
    return failure(404, 1001, "Token not found");
  }
  return success({ id });
}

const ofType = (registry, type) => registry.list().filter((resource) => resource.type === type);

function success(result, rest = {}) {
  return { status: 200, body: { success: true, errors: [], messages: [], result, ...rest } };
}

function failure(status, code, message) {
  return { status, body: { success: false, errors: [{ code, message }], messages: [], result: null } };
}

function wholeNumber(text, otherwise, max) {
  const value = Number(text ?? otherwise);
  return Number.isInteger(value) && value >= 1 ? Math.min(value, max) : otherwise;
}
