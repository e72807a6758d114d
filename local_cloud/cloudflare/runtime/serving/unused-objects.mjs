// Removes the files of Durable Objects that never stored anything: workerd leaves some for each object that was asked,
// so each guessed share link left some. On the platform such an object leaves nothing.
// Only while workerd does not run: it would go on writing into a removed file.
import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";

const OBJECT_FORM = /^[0-9a-f]{64}\.sqlite$/;
/** A database without tables has one page. One with a table has two, or the second is still in the log beside it. */
const EMPTY_BYTES = 4096;

/** persistDir: the folder of workerd's data. Returns how many objects were removed. */
export async function dropUnusedObjects(persistDir) {
  let removed = 0;
  for (const folder of await names(path.join(persistDir, "do"))) {
    for (const name of await names(path.join(persistDir, "do", folder))) {
      const file = path.join(persistDir, "do", folder, name);
      if (!OBJECT_FORM.test(name) || (await bytes(file)) > EMPTY_BYTES || (await bytes(`${file}-wal`)) > 0) continue;
      for (const part of [file, `${file}-wal`, `${file}-shm`]) await rm(part, { force: true });
      removed += 1;
    }
  }
  return removed;
}

async function names(folder) {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
    return [];
  }
}

async function bytes(file) {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return 0;
  }
}
