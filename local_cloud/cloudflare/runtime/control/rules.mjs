// What the real service rejects and which values it computes, one entry per resource type.
// Pure: no disk, no process; the `world` argument has the other resources and the time.
import { randomBytes } from "node:crypto";

/** A request that the real service rejects; answered as 409 with this code and message. */
export class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const BUCKET_NAME = /^[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]$/;
const SCRIPT_NAME = /^[a-z0-9_][a-z0-9_-]{0,62}$/;
const JURISDICTIONS = ["default", "eu", "fedramp"];
const STORAGE_CLASSES = ["Standard", "InfrequentAccess"];
const CORS_METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD"];
const RATE_LIMIT_PERIODS_S = [10, 60];
// Binding types that this runtime serves; any other type is rejected.
const BINDING_FIELDS = {
  assets: [],
  durable_object_namespace: ["className"],
  json: ["json"],
  plain_text: ["text"],
  r2_bucket: ["bucketName"],
  ratelimit: ["namespaceId", "simple"],
  secret_text: ["text"],
};

/**
 * type -> (id, props, world, existing) => props as the service would answer them.
 * world: {get(type, id), list(type), now(): ISO text}; existing: the stored resource or undefined.
 */
export const RULES = {
  R2Bucket(id, props, world, existing) {
    if (!BUCKET_NAME.test(id)) {
      refuse("INVALID_BUCKET_NAME", `Bucket name "${id}" is not valid: 3 to 63 of a-z, 0-9 and "-", no "-" at the ends.`);
    }
    if (props.name !== undefined && props.name !== id) refuse("INVALID_BUCKET_NAME", `name is "${props.name}", but the path has "${id}".`);
    const jurisdiction = oneOf("jurisdiction", props.jurisdiction ?? "default", JURISDICTIONS);
    if (existing && existing.props.jurisdiction !== jurisdiction) {
      refuse("NO_SUCH_BUCKET", `Bucket "${id}" does not exist in jurisdiction "${jurisdiction}"; a bucket cannot move.`);
    }
    return {
      ...props,
      name: id,
      jurisdiction,
      storageClass: oneOf("storageClass", props.storageClass ?? "Standard", STORAGE_CLASSES),
      location: existing?.props.location ?? props.location ?? "WEUR",
      creationDate: existing?.props.creationDate ?? world.now(),
    };
  },

  R2BucketCors(id, props, world) {
    needBucket(id, props, world);
    for (const [index, rule] of (props.rules ?? []).entries()) {
      const { methods = [], origins = [] } = rule.allowed ?? {};
      if (methods.length === 0 || origins.length === 0) {
        refuse("INVALID_CORS", `rules[${index}].allowed needs at least one method and one origin.`);
      }
      for (const method of methods) oneOf(`rules[${index}].allowed.methods`, method, CORS_METHODS);
    }
    return { ...props, bucketName: id };
  },

  R2BucketLifecycle(id, props, world) {
    needBucket(id, props, world);
    for (const [index, rule] of (props.rules ?? []).entries()) {
      if (!rule.id || typeof rule.enabled !== "boolean" || typeof rule.conditions?.prefix !== "string") {
        refuse("INVALID_LIFECYCLE", `rules[${index}] needs id, enabled and conditions.prefix ("" for all objects).`);
      }
    }
    return { ...props, bucketName: id };
  },

  AccountToken(id, props, world, existing) {
    if (!props.name) refuse("INVALID_TOKEN", "name is missing.");
    if (!Array.isArray(props.policies) || props.policies.length === 0) refuse("INVALID_TOKEN", "policies needs at least one policy.");
    for (const [index, policy] of props.policies.entries()) {
      oneOf(`policies[${index}].effect`, policy.effect, ["allow", "deny"]);
      readPolicyResources(policy.resources, index);
    }
    return {
      ...props,
      id,
      status: props.status ?? "active",
      value: existing?.props.value ?? randomBytes(30).toString("base64url"),
      issuedOn: existing?.props.issuedOn ?? world.now(),
      modifiedOn: world.now(),
    };
  },

  WorkersScript(id, props, world, existing) {
    if (!SCRIPT_NAME.test(id)) refuse("INVALID_SCRIPT_NAME", `Script name "${id}" is not valid: 1 to 63 of a-z, 0-9, "_" and "-".`);
    if (!props.mainModule) refuse("NO_MAIN_MODULE", "mainModule is missing. The runtime serves scripts in module syntax only.");
    if (!/^\d{4}-\d{2}-\d{2}$/.test(props.compatibilityDate ?? "")) {
      refuse("INVALID_COMPATIBILITY_DATE", `compatibilityDate is ${props.compatibilityDate}, expected YYYY-MM-DD.`);
    }
    const migration = migrate(id, props.migrations, existing);
    checkBindings(props.bindings ?? [], migration.classes, world);
    if (world.get("WorkersScriptSubdomain", id)?.props.enabled) needFreeAddress(id, textsOf({ props }), world);
    return {
      ...props,
      scriptName: id,
      migrationTag: migration.tag,
      hasAssets: props.assets?.directory !== undefined,
      hasModules: true,
      createdOn: existing?.props.createdOn ?? world.now(),
      modifiedOn: world.now(),
    };
  },

  WorkersScriptSubdomain(id, props, world) {
    needScript(id, world);
    if (typeof props.enabled !== "boolean") refuse("INVALID_SUBDOMAIN", "enabled must be true or false.");
    if (props.enabled) needFreeAddress(id, textsOf(world.get("WorkersScript", id)), world);
    return { ...props, scriptName: id, previewsEnabled: props.previewsEnabled ?? props.enabled };
  },

  WorkersCronTrigger(id, props, world) {
    needScript(id, world);
    if (!Array.isArray(props.schedules)) refuse("INVALID_CRON", "schedules must be a list of {cron}.");
    return { ...props, scriptName: id };
  },
};

// Error numbers of the real API (https://developers.cloudflare.com/workers/observability/errors/ and wrangler's sources).
const MIGRATION_TAG_PRECONDITION_FAILED = 10079;
const NO_SUCH_DURABLE_OBJECT_CLASS = 10061;

/**
 * The Durable Object classes and the tag after a script's migration.
 * The service applies a migration only if its old tag is deployed, also when its new tag is deployed already.
 */
export function migrate(scriptName, migrations, existing) {
  const before = { tag: existing?.props.migrationTag, classes: existing?.classes ?? [] };
  if (migrations === undefined || migrations === null) return before;
  const newTag = migrations.newTag ?? undefined;
  const oldTag = migrations.oldTag ?? undefined;
  if (oldTag !== before.tag) {
    refuse(
      MIGRATION_TAG_PRECONDITION_FAILED,
      `Migration tag precondition failed; current tag is ${before.tag ?? "null"} (script "${scriptName}", migrations.oldTag ${oldTag ?? "not set"}).`,
    );
  }
  if (newTag === before.tag) return before;
  const steps = migrations.steps?.length ? migrations.steps : [migrations];
  const classes = new Map(before.classes.map((one) => [one.name, one]));
  for (const step of steps) {
    for (const name of step.newSqliteClasses ?? []) addClass(classes, name, true);
    for (const name of step.newClasses ?? []) addClass(classes, name, false);
    for (const name of step.deletedClasses ?? []) classes.delete(name);
    if (step.renamedClasses?.length || step.transferredClasses?.length) {
      refuse("NOT_SIMULATED", "The local runtime does not support renamedClasses and transferredClasses.");
    }
  }
  return { tag: newTag, classes: [...classes.values()] };
}

function addClass(classes, name, sqlite) {
  if (classes.has(name)) refuse("CLASS_EXISTS", `Durable Object class "${name}" exists already; a migration cannot create it twice.`);
  classes.set(name, { name, sqlite });
}

function checkBindings(bindings, classes, world) {
  const seen = new Set();
  for (const binding of bindings) {
    const fields = BINDING_FIELDS[binding.type];
    if (fields === undefined) {
      refuse("NOT_SIMULATED", `Binding ${binding.name} has type "${binding.type}". Supported types: ${Object.keys(BINDING_FIELDS).join(", ")}.`);
    }
    if (seen.has(binding.name)) refuse("DUPLICATE_BINDING", `Binding ${binding.name} is declared twice.`);
    seen.add(binding.name);
    for (const field of fields) {
      if (binding[field] === undefined || binding[field] === null) refuse("INVALID_BINDING", `Binding ${binding.name} (${binding.type}) has no ${field}.`);
    }
    // The API names a jurisdiction only where it is not the default.
    if (binding.type === "r2_bucket" && binding.jurisdiction === "default") refuse("INVALID_BINDING", `Binding ${binding.name}: jurisdiction "default" is not allowed here; leave it out.`);
    if (binding.type === "r2_bucket") needBucket(binding.bucketName, binding, world);
    if (binding.type === "ratelimit") oneOf(`${binding.name}.simple.period`, Number(binding.simple.period), RATE_LIMIT_PERIODS_S);
    if (binding.type === "durable_object_namespace" && !classes.some(({ name }) => name === binding.className)) {
      refuse(NO_SUCH_DURABLE_OBJECT_CLASS, `Cannot create binding ${binding.name}: class "${binding.className}" is not set up as a Durable Object by any migration.`);
    }
  }
}

/** Bucket names that a token's policies allow; "*" allows all. Keys: com.cloudflare.edge.r2.bucket.<account>_<jurisdiction>_<bucket>. */
export function allowedBuckets(tokenProps) {
  if ((tokenProps.status ?? "active") !== "active") return [];
  if (tokenProps.expiresOn && Date.parse(tokenProps.expiresOn) <= Date.now()) return [];
  const names = [];
  for (const [index, policy] of tokenProps.policies.entries()) {
    if (policy.effect !== "allow") continue;
    for (const resource of Object.keys(readPolicyResources(policy.resources, index))) {
      const match = /^com\.cloudflare\.edge\.r2\.bucket\.[^_]*_[^_]+_(.+)$/.exec(resource);
      if (match) names.push(match[1]);
      if (resource.startsWith("com.cloudflare.api.account.")) names.push("*");
    }
  }
  return names;
}

function readPolicyResources(resources, index) {
  let value = resources;
  if (typeof value === "string") {
    try {
      value = JSON.parse(value);
    } catch {
      refuse("INVALID_TOKEN", `policies[${index}].resources is not JSON.`);
    }
  }
  if (value === null || typeof value !== "object") refuse("INVALID_TOKEN", `policies[${index}].resources must be an object of resource names.`);
  return value;
}

function needBucket(name, props, world) {
  const bucket = world.get("R2Bucket", name);
  const jurisdiction = props.jurisdiction ?? "default";
  if (bucket === undefined || bucket.props.jurisdiction !== jurisdiction) {
    refuse("NO_SUCH_BUCKET", `Bucket "${name}" does not exist in jurisdiction "${jurisdiction}".`);
  }
}

/** Text bindings of a stored script: name -> text. */
const textsOf = ({ props }) => Object.fromEntries((props.bindings ?? []).map(({ name, text }) => [name, text]));

/**
 * Every script of this runtime answers at the same address, which a second stack would take from the first. Two
 * scripts of one stack can exist for a while, when a rename creates the new script before it deletes the old one.
 */
function needFreeAddress(id, { WORKER_URL: address, STACK: stack }, world) {
  if (address === undefined) return;
  for (const { id: other, props } of world.list("WorkersScriptSubdomain")) {
    if (other === id || !props.enabled) continue;
    const texts = textsOf(world.get("WorkersScript", other));
    if (texts.WORKER_URL !== address || texts.STACK === stack) continue;
    refuse(
      "ADDRESS_IN_USE",
      `${address} is the address of script "${other}" of stack "${texts.STACK}". A local cloud serves one stack. ` +
        `Deploy stack "${stack}" on a local cloud of its own: SPLAT_LOCAL_STATE=FOLDER make up.`,
    );
  }
}

function needScript(name, world) {
  if (world.get("WorkersScript", name) === undefined) refuse("NO_SUCH_SCRIPT", `Script "${name}" does not exist.`);
}

function oneOf(name, value, allowed) {
  if (!allowed.includes(value)) refuse("INVALID_VALUE", `${name} is ${value}, allowed: ${allowed.join(", ")}.`);
  return value;
}

function refuse(code, message) {
  throw new Refused(code, message);
}
