// Pure mapping from declared resources to miniflare's options (form of miniflare 5).
// No process, no disk: every binding type is a row here, and a row in its test.
import path from "node:path";

import { MODULE, moduleText } from "./binding-faults.mjs";

/** A worker that only binds the buckets, so that S3 works while no script is deployed. */
export const STORAGE_WORKER = "local-storage";
const STORAGE_MODULE = "export default { fetch() { return new Response(null, { status: 404 }); } };";
const STORAGE_COMPATIBILITY_DATE = "2026-01-01";

/** binding of the Pulumi resource -> binding of miniflare; `script` is the stored WorkersScript. */
const BINDINGS = {
  assets: () => ({ type: "assets" }),
  durable_object_namespace: (binding, script) => ({
    type: "durable-object",
    worker: binding.scriptName ?? script.id,
    exportName: binding.className,
  }),
  json: (binding) => ({ type: "json", value: JSON.parse(binding.json) }),
  plain_text: (binding) => ({ type: "text", value: binding.text }),
  r2_bucket: (binding, _script, internalKey) => ({
    type: "r2",
    name: binding.bucketName,
    dev: { experimentalS3Credentials: internalKey },
  }),
  ratelimit: (binding) => ({
    type: "rate-limit",
    namespace: String(binding.namespaceId),
    simple: { limit: Number(binding.simple.limit), period: Number(binding.simple.period) },
  }),
  secret_text: (binding) => ({ type: "text", value: binding.text }),
};

/**
 * Options of all scripts and of the storage worker. The first answers requests: the served script, if any.
 * strikeUrl: where a script asks for faults of its bucket bindings; undefined for none.
 */
export function workerOptions({ scripts, buckets, served, internalKey, strikeUrl }) {
  const all = [storageWorker(buckets, internalKey), ...scripts.map((script) => scriptWorker(script, internalKey, strikeUrl))];
  const first = all.findIndex(({ config }) => config.name === (served ?? STORAGE_WORKER));
  return [all[first], ...all.filter((_, index) => index !== first)];
}

/** Binding name of a bucket on the storage worker. */
export const bucketBinding = (bucketName) => `BUCKET_${bucketName}`;

function storageWorker(buckets, internalKey) {
  const env = {};
  for (const { id } of buckets) {
    env[bucketBinding(id)] = { type: "r2", name: id, dev: { experimentalS3Credentials: internalKey } };
  }
  return {
    config: {
      name: STORAGE_WORKER,
      compatibilityDate: STORAGE_COMPATIBILITY_DATE,
      manifest: { mainModule: "index.js", modulesRoot: "/", modules: { "index.js": { type: "esm", contents: STORAGE_MODULE } } },
      env,
    },
  };
}

function scriptWorker(script, internalKey, strikeUrl) {
  const { props, directory, classes } = script;
  const env = {};
  for (const binding of props.bindings ?? []) env[binding.name] = BINDINGS[binding.type](binding, script, internalKey);
  const exports = {};
  for (const { name, sqlite } of classes) exports[name] = { type: "durable-object", storage: sqlite ? "sqlite" : "legacy-kv" };
  return {
    config: {
      name: script.id,
      compatibilityDate: props.compatibilityDate,
      compatibilityFlags: props.compatibilityFlags ?? [],
      manifest: {
        ...modulesOf(script, strikeUrl),
        modulesRoot: directory,
      },
      env,
      exports,
      ...(props.assets?.directory ? { assets: assetOptions(props.assets.config ?? {}, directory) } : {}),
    },
    dev: { rootPath: directory, unsafeRegisterWorker: false, stripCfConnectingIp: false },
  };
}

function modulesOf({ props, classes, contents }, strikeUrl) {
  const { mainModule, bindings = [] } = props;
  const modules = { [mainModule]: { type: "esm", contents } };
  const buckets = bindings.filter(({ type }) => type === "r2_bucket").map(({ name }) => name);
  if (strikeUrl === undefined || buckets.length === 0) return { mainModule, modules };
  const text = moduleText({ mainModule, classes: classes.map(({ name }) => name), buckets, url: strikeUrl });
  return { mainModule: MODULE, modules: { ...modules, [MODULE]: { type: "esm", contents: text } } };
}

function assetOptions(config, directory) {
  // hasUserWorker: without it the router serves the assets alone, without the module.
  const options = { directory: path.join(directory, "assets"), hasUserWorker: true };
  if (config.htmlHandling) options.htmlHandling = config.htmlHandling;
  if (config.notFoundHandling) options.notFoundHandling = config.notFoundHandling;
  if (config.runWorkerFirst !== undefined && config.runWorkerFirst !== null) options.runWorkerFirst = config.runWorkerFirst;
  return options;
}
