// Applies the buckets' lifecycle rules (deletion by age) every ten minutes.
// Deletes only what an enabled rule names. Storage classes have no effect on a local disk.

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

function isOver(condition, uploaded, at) {
  if (condition.type === "Date") return at.getTime() >= Date.parse(condition.date);
  return at.getTime() - uploaded.getTime() >= Number(condition.maxAge) * 1000;
}

/** Starts the clock; returns {stop()}. */
export function startLifecycle({ store, host, log }) {
  const timer = setInterval(() => void sweep().catch((error) => log(`lifecycle sweep failed: ${error.message}`)), INTERVAL_MS);
  timer.unref();
  const sweep = async () => {
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
    }
  };
  return { stop: () => clearInterval(timer) };
}
