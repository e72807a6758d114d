// Applies the buckets' lifecycle rules (deletion, and end of unfinished uploads, by age): at the start, then every ten minutes.
// Deletes only what an enabled rule names. Storage classes have no effect on a local disk.

import { unfinishedUploads } from "./unfinished-uploads.mjs";

const INTERVAL_MS = 10 * 60_000;

/**
 * Keys that the rules delete now.
 * rules: as R2BucketLifecycle has them; objects: [{key, uploaded: Date}]; at: Date.
 */
export function expiredKeys(rules, objects, at) {
  const keys = new Set();
  for (const rule of rules) {
    const condition = rule.enabled ? rule.deleteObjectsTransition?.condition : undefined;
    if (!condition) continue;
    for (const { key, uploaded } of objects) {
      if (key.startsWith(rule.conditions.prefix) && isOver(condition, uploaded, at)) keys.add(key);
    }
  }
  return [...keys];
}

/** Unfinished uploads [{key, at: Date}] that the rules end now. */
export function expiredUploads(rules, uploads, at) {
  return uploads.filter((upload) =>
    rules.some((rule) => {
      const condition = rule.enabled ? rule.abortMultipartUploadsTransition?.condition : undefined;
      return condition !== undefined && upload.key.startsWith(rule.conditions.prefix) && isOver(condition, upload.at, at);
    }),
  );
}

function isOver(condition, uploaded, at) {
  if (condition.type === "Date") return at.getTime() >= Date.parse(condition.date);
  return at.getTime() - uploaded.getTime() >= Number(condition.maxAge) * 1000;
}

/** Starts the clock; returns {stop()}. */
export function startLifecycle({ store, host, log }) {
  const round = () => void sweep().catch((error) => log(`lifecycle sweep failed: ${error.message}`));
  const timer = setInterval(round, INTERVAL_MS);
  timer.unref();
  const sweep = async () => {
    const uploads = await unfinishedUploads(store.persistDir);
    for (const { id, props } of store.list("R2BucketLifecycle")) {
      const bucket = await host.bucket(id);
      let cursor;
      do {
        const page = await bucket.list({ cursor });
        const keys = expiredKeys(props.rules ?? [], page.objects, new Date());
        if (keys.length > 0) {
          await bucket.delete(keys);
          log(`lifecycle of ${id}: deleted ${keys.length} objects`);
        }
        cursor = page.truncated ? page.cursor : undefined;
      } while (cursor);
      const ended = expiredUploads(props.rules ?? [], uploads.filter((upload) => upload.bucket === id), new Date());
      for (const { key, id: uploadId } of ended) await bucket.resumeMultipartUpload(key, uploadId).abort();
      if (ended.length > 0) log(`lifecycle of ${id}: ended ${ended.length} unfinished uploads`);
    }
  };
  round();
  return { stop: () => clearInterval(timer) };
}
