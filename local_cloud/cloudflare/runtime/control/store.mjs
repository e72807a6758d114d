// Stores the declared resources and the uploaded scripts on disk, so that a restart serves the same.
// rules.mjs decides what can be stored.
import { createHash, randomBytes } from "node:crypto";
import { chmod, cp, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";

const FORMAT = 1;

export class Store {
  #file;
  #resources;

  /** Opens (or lays out) the state folder; only its owner can read it, because it holds secrets of the stack. */
  static async open(stateDir) {
    const root = path.resolve(stateDir);
    await mkdir(path.join(root, "data"), { recursive: true });
    await mkdir(path.join(root, "scripts"), { recursive: true });
    await chmod(root, 0o700);
    const store = new Store(root);
    await store.#load();
    return store;
  }

  constructor(root) {
    this.root = root;
    this.persistDir = path.join(root, "data");
    this.#file = path.join(root, "resources.json");
    this.#resources = new Map();
    /** Key pair of the S3 endpoint itself; requests of declared tokens are signed again with it. */
    this.internalKey = undefined;
  }

  async #load() {
    let text;
    try {
      text = await readFile(this.#file, "utf8");
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
      this.internalKey = { accessKeyId: randomBytes(16).toString("hex"), secretAccessKey: randomBytes(32).toString("hex") };
      await this.#save();
      return;
    }
    const { format, internalKey, resources } = JSON.parse(text);
    if (format !== FORMAT) {
      throw new Error(`${this.#file} has format ${format}, but this program reads format ${FORMAT}. Use the release that wrote it, or another state folder.`);
    }
    this.internalKey = internalKey;
    this.#resources = new Map(resources.map((resource) => [key(resource.type, resource.id), resource]));
  }

  async #save() {
    const body = JSON.stringify({ format: FORMAT, internalKey: this.internalKey, resources: this.list() }, null, 1);
    const next = `${this.#file}.next`;
    await writeFile(next, body, { mode: 0o600 });
    await rename(next, this.#file);
  }

  /** All resources, or those of one type, in order of type and id. */
  list(type) {
    const all = [...this.#resources.values()].filter((resource) => type === undefined || resource.type === type);
    return all.sort((a, b) => (key(a.type, a.id) < key(b.type, b.id) ? -1 : 1));
  }

  get(type, id) {
    return this.#resources.get(key(type, id));
  }

  async put(resource) {
    this.#resources.set(key(resource.type, resource.id), resource);
    await this.#save();
  }

  async delete(type, id) {
    this.#resources.delete(key(type, id));
    await this.#save();
  }

  /**
   * Copies a script's module and assets into the state folder, as an upload does: later changes of the
   * source files do not reach the running script. Returns the folder and the module's SHA-256 (hex).
   */
  async upload(scriptName, { contentFile, content, mainModule, assetsDirectory, headers, redirects }) {
    const body = content === undefined ? await readFile(contentFile) : Buffer.from(content);
    const sha256 = createHash("sha256").update(body).digest("hex");
    const directory = path.join(this.root, "scripts", scriptName, randomBytes(8).toString("hex"));
    await mkdir(directory, { recursive: true });
    await writeFile(path.join(directory, mainModule), body);
    if (assetsDirectory !== undefined) {
      const assets = path.join(directory, "assets");
      await cp(assetsDirectory, assets, { recursive: true });
      if (headers !== undefined) await writeFile(path.join(assets, "_headers"), headers);
      if (redirects !== undefined) await writeFile(path.join(assets, "_redirects"), redirects);
    }
    return { directory, sha256 };
  }

  async dropUpload(directory) {
    await rm(directory, { recursive: true, force: true });
  }

  /** Removes the data of a script's Durable Objects, and its uploads. */
  async dropScript(scriptName, classNames) {
    for (const className of classNames) {
      await rm(path.join(this.persistDir, "do", `${scriptName}-${className}`), { recursive: true, force: true });
    }
    await rm(path.join(this.root, "scripts", scriptName), { recursive: true, force: true });
  }

  /** Removes caches, counters and empty databases, once neither a script nor a bucket is declared. */
  async dropData() {
    await rm(this.persistDir, { recursive: true, force: true });
  }

  async dropBucket(name) {
    await rm(path.join(this.persistDir, "r2", name), { recursive: true, force: true });
  }
}

export async function isDirectory(directory) {
  try {
    return (await stat(directory)).isDirectory();
  } catch {
    return false;
  }
}

const key = (type, id) => `${type}/${id}`;
