// The few calls of Cloudflare's own API that the Pulumi program makes itself, beside what its provider does.
// Same paths, parameters and envelope as api.cloudflare.com/client/v4; nothing else of that API is answered.
import { NotFound } from "./registry.mjs";

const PER_PAGE_DEFAULT = 20;
const PER_PAGE_MAX = 50;

/** {status, body}, or undefined if the path is not one of these. */
export async function answerRealApi({ method, url }, registry) {
  const { pathname, searchParams } = new URL(url, "http://control");
  const [, what, id] = /^\/accounts\/[^/]+\/(workers\/scripts|tokens)(?:\/([^/]+))?$/.exec(pathname) ?? [];
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
    return { status: 404, body: { success: false, errors: [{ code: 1001, message: "Token not found" }], messages: [], result: null } };
  }
  return success({ id });
}

const ofType = (registry, type) => registry.list().filter((resource) => resource.type === type);

function success(result, rest = {}) {
  return { status: 200, body: { success: true, errors: [], messages: [], result, ...rest } };
}

function wholeNumber(text, otherwise, max) {
  const value = Number(text ?? otherwise);
  return Number.isInteger(value) && value >= 1 ? Math.min(value, max) : otherwise;
}
