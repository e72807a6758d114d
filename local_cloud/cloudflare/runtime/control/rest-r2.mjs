// Cloudflare's API of buckets and of account tokens, answered from the registry.
// Paths, fields and error numbers are those of developers.cloudflare.com/api; docs/cloudflare-provider.md marks guesses.
import { failure, readJson, success } from "./envelope.mjs";
import { NotFound } from "./registry.mjs";
import { Refused } from "./rules.mjs";

const PER_PAGE_DEFAULT = 20;
const PER_PAGE_MAX = 50;
const LOCATION_DEFAULT = "WEUR";
// R2 gives every new bucket this rule.
const OWN_RULE = {
  id: "Default Multipart Abort Rule",
  enabled: true,
  conditions: { prefix: "" },
  abortMultipartUploadsTransition: { condition: { type: "Age", maxAge: 604_800 } },
};
// Rules of a bucket by the last part of their path: resource type, and the answer where none were set.
const RULE_SETS = {
  cors: { type: "R2BucketCors", absent: () => failure(404, 10059, "The CORS configuration does not exist.") },
  lifecycle: { type: "R2BucketLifecycle", absent: () => success({ rules: [OWN_RULE] }) },
};

/** {status, body}, or undefined if this is not a call about buckets. */
export async function answerBuckets({ method, name, part, incoming }, registry) {
  const jurisdiction = incoming.headers["cf-r2-jurisdiction"] ?? "default";
  if (name === undefined) {
    if (method === "GET") return success({ buckets: ofType(registry, "R2Bucket").filter(({ props }) => props.jurisdiction === jurisdiction).map(shown) });
    return method === "POST" ? createBucket(await readJson(incoming), jurisdiction, registry) : undefined;
  }
  const bucket = ofType(registry, "R2Bucket").find(({ id }) => id === name);
  // It does not exist in any other jurisdiction.
  if (bucket === undefined || bucket.props.jurisdiction !== jurisdiction) return failure(404, 10006, "The specified bucket does not exist.");
  if (part !== undefined) return answerRules({ method, name, jurisdiction, rules: RULE_SETS[part], incoming }, registry);
  if (method === "GET") return success(shown(bucket));
  return method === "DELETE" ? deleteBucket(registry, name) : undefined;
}

async function createBucket(given, jurisdiction, registry) {
  const name = String(given.name ?? "");
  if (ofType(registry, "R2Bucket").some(({ id }) => id === name)) {
    return failure(409, 10004, "The bucket you tried to create already exists, and you own it.");
  }
  try {
    const props = { name, jurisdiction, location: given.locationHint?.toUpperCase() ?? LOCATION_DEFAULT, storageClass: given.storageClass ?? "Standard" };
    return success(shown(await registry.put("R2Bucket", name, props)));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return failure(400, error.code === "INVALID_BUCKET_NAME" ? 10005 : 10042, error.message);
  }
}

async function answerRules({ method, name, jurisdiction, rules, incoming }, registry) {
  if (rules === undefined) return undefined;
  const stored = ofType(registry, rules.type).find(({ id }) => id === name);
  if (method === "GET") return stored === undefined ? rules.absent() : success({ rules: stored.props.rules });
  if (method === "DELETE") {
    if (stored !== undefined) await registry.delete(rules.type, name);
    return success({});
  }
  if (method !== "PUT") return undefined;
  try {
    await registry.put(rules.type, name, { rules: (await readJson(incoming)).rules, ...(jurisdiction === "default" ? {} : { jurisdiction }) });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return failure(400, 10040, error.message);
  }
  return success({});
}

/** Deletes only an empty bucket, as R2 does. */
async function deleteBucket(registry, name) {
  try {
    await registry.delete("R2Bucket", name);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return failure(409, 10008, "The bucket you tried to delete is not empty.");
  }
  return success({});
}

/** {status, body}, or undefined if this is not a call about tokens. */
export async function answerTokens({ method, name, part, incoming, searchParams }, registry) {
  if (part !== undefined) return undefined;
  if (method === "GET" && name === undefined) return listTokens(registry, searchParams);
  if (method === "POST" && name === undefined) return createToken(await readJson(incoming), registry);
  return method === "DELETE" && name !== undefined ? deleteToken(registry, name) : undefined;
}

async function createToken({ name, policies = [], expires_on: expiresOn }, registry) {
  const camel = policies.map(({ effect, resources, permission_groups: permissionGroups }) => ({ effect, resources, permissionGroups }));
  try {
    const { id, props } = await registry.put("AccountToken", "new", { name, policies: camel, ...(expiresOn ? { expiresOn } : {}) });
    return success({ id, name, status: props.status, value: props.value, issued_on: props.issuedOn, modified_on: props.modifiedOn, policies });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return failure(400, 1001, error.message);
  }
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

function shown({ props: { name, jurisdiction, location, storageClass, creationDate } }) {
  return { name, jurisdiction, location, storage_class: storageClass, creation_date: creationDate };
}

const ofType = (registry, type) => registry.list().filter((resource) => resource.type === type);

function wholeNumber(text, otherwise, max) {
  const value = Number(text ?? otherwise);
  return Number.isInteger(value) && value >= 1 ? Math.min(value, max) : otherwise;
}
