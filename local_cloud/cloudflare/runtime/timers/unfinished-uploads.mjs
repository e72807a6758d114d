// Uploads in parts that were started and neither completed nor aborted, from miniflare's own databases: its binding lists none.
// Reads only. An upload without a stored part takes no room and is not listed.
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

const DATABASE_FORM = /^[0-9a-f]{64}\.sqlite$/;
const UNFINISHED = `
  SELECT u.upload_id AS id, u.key AS key, p.blob_id AS blob
  FROM _mf_multipart_uploads u JOIN _mf_multipart_parts p ON p.upload_id = u.upload_id
  WHERE u.state = 0`;

/** persistDir: the folder of workerd's data. Returns [{bucket, key, id, at}]; at: the Date of its newest part. */
export async function unfinishedUploads(persistDir) {
  const folder = path.join(persistDir, "r2");
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const buckets = entries.filter((entry) => entry.isDirectory() && entry.name !== "miniflare-R2BucketObject").map(({ name }) => name);
  const found = new Map();
  for (const { id, key, blob } of await rows(path.join(folder, "miniflare-R2BucketObject"))) {
    for (const bucket of buckets) {
      const at = await stat(path.join(folder, bucket, "blobs", blob)).then(({ mtime }) => mtime, () => undefined);
      if (at !== undefined && !(found.get(id)?.at > at)) found.set(id, { bucket, key, id, at });
    }
  }
  return [...found.values()];
}

async function rows(folder) {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => DATABASE_FORM.test(name)).flatMap((name) => {
    const database = new DatabaseSync(path.join(folder, name), { readOnly: true });
    try {
      const known = database.prepare("SELECT 1 FROM sqlite_master WHERE name = '_mf_multipart_parts'").get();
      return known === undefined ? [] : database.prepare(UNFINISHED).all();
    } finally {
      database.close();
    }
  });
}
