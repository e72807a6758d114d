// Which files of Durable Objects go before workerd starts: those of objects that stored nothing, and no others.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";

import { dropUnusedObjects } from "../../../../../local_cloud/cloudflare/runtime/serving/unused-objects.mjs";

const name = (letter) => `${letter.repeat(64)}.sqlite`;

test("objects that stored nothing are removed, with a table they stay, also before their log is written back", async (t) => {
  const root = await mkdtemp(path.join(tmpdir(), "objects-"));
  t.after(() => rm(root, { recursive: true }));
  const folder = path.join(root, "do/edge-Project");
  await mkdir(folder, { recursive: true });
  // As workerd does it; the connection stays open, so the log stays beside the database.
  const open = [["a", ""], ["b", "CREATE TABLE project (one)"]].map(([letter, sql]) => {
    const database = new DatabaseSync(path.join(folder, name(letter)));
    database.exec(`PRAGMA journal_mode = WAL; ${sql}`);
    return database;
  });
  const closed = new DatabaseSync(path.join(folder, name("c")));
  closed.exec("CREATE TABLE project (one)");
  closed.close();
  await writeFile(path.join(folder, "metadata.sqlite"), "");
  await writeFile(path.join(root, "do/note"), "");
  assert.equal(await dropUnusedObjects(root), 1);
  const left = await readdir(folder);
  assert.deepEqual(left.filter((file) => file.endsWith(".sqlite")).sort(), [name("b"), name("c"), "metadata.sqlite"]);
  assert.deepEqual(left.filter((file) => file.startsWith("a")), []);
  for (const database of open) database.close();
});

test("without data there is nothing to remove", async () => {
  assert.equal(await dropUnusedObjects(path.join(tmpdir(), "no-such-folder")), 0);
});
