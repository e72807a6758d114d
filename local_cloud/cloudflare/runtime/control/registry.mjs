// The control API's verbs: rules first, then bytes, then the running process, then the record on disk.
// One change at a time; the answer comes once it is applied. After a failed change the old state serves on.
import { randomBytes } from "node:crypto";
import path from "node:path";

import { RULES, Refused, migrate } from "./rules.mjs";
import { isDirectory } from "./store.mjs";

// Types that change workerd's configuration; the others are read at each use.
const APPLIED = new Set(["R2Bucket", "WorkersScript", "WorkersScriptSubdomain"]);

/** A resource or type that does not exist. */
export class NotFound extends Error {}

export class Registry {
  #store;
  #host;
  #front;
  #log;
  #tail = Promise.resolve();

  constructor({ store, host, front, log }) {
    this.#store = store;
    this.#host = host;
    this.#front = front;
    this.#log = log;
  }

  /** Serves what an earlier run stored. */
  restore() {
    return this.#exclusive(() => this.#applyHost());
  }

  /** Resolves when no change is under way. */
  idle() {
    return this.#tail.catch(() => {});
  }

  list() {
    return this.#store.list().map(publicView);
  }

  get(type, id) {
    const resource = this.#store.get(type, id);
    if (resource === undefined) throw new NotFound(`${type} "${id}" does not exist.`);
    return publicView(resource);
  }

  put(type, id, props) {
    return this.#exclusive(() => this.#put(type, id, props));
  }

  delete(type, id) {
    return this.#exclusive(() => this.#delete(type, id));
  }

  /** Other bindings for a script whose code stays, as after a secret was set. */
  bind(name, bindings) {
    return this.#exclusive(async () => {
      const script = this.#store.get("WorkersScript", name);
      if (script === undefined) throw new NotFound(`WorkersScript "${name}" does not exist.`);
      await this.#store.put({ ...script, props: { ...script.props, bindings } });
      await this.#applyHost();
    });
  }

  async #put(type, givenId, props) {
    const rule = RULES[type];
    if (rule === undefined) throw new NotFound(`Resource type "${type}" is unknown. Known types: ${Object.keys(RULES).join(", ")}.`);
    const id = type === "AccountToken" && givenId === "new" ? randomBytes(16).toString("hex") : givenId;
    const existing = this.#store.get(type, id);
    if (type === "AccountToken" && existing === undefined && givenId !== "new") throw new NotFound(`AccountToken "${id}" does not exist.`);
    const world = { get: (t, i) => this.#store.get(t, i), list: (t) => this.#store.list(t), now: () => new Date().toISOString() };
    const next = { type, id, props: rule(id, props, world, existing) };
    if (type === "WorkersScript") await this.#deploy(next, props, existing);
    else {
      await this.#store.put(next);
      if (APPLIED.has(type) && JSON.stringify(existing?.props) !== JSON.stringify(next.props)) await this.#applyHost();
    }
    this.#log(`${existing ? "updated" : "created"} ${type}/${id}`);
    return publicView(this.#store.get(type, id));
  }

  async #deploy(next, props, existing) {
    const directory = props.assets?.directory ?? undefined;
    if (directory !== undefined && !(await isDirectory(directory))) {
      throw new Refused("ASSETS_NOT_FOUND", `assets.directory ${directory} is not a folder.`);
    }
    if (props.contentFile !== undefined && !path.isAbsolute(props.contentFile)) {
      throw new Refused("CONTENT_NOT_FOUND", `contentFile ${props.contentFile} is not an absolute path.`);
    }
    const upload = await this.#upload(next.id, props, directory);
    const wanted = props.contentSha256;
    if (wanted && wanted !== upload.sha256) {
      await this.#store.dropUpload(upload.directory);
      throw new Refused("CONTENT_HASH_MISMATCH", `contentSha256 is ${wanted}, but the file's is ${upload.sha256}.`);
    }
    next.directory = upload.directory;
    next.props.etag = upload.sha256;
    next.classes = migrate(next.id, props.migrations, existing).classes;
    await this.#store.put(next);
    try {
      await this.#applyHost();
    } catch (error) {
      // The platform rejects a script that does not start and serves the old script on.
      await (existing ? this.#store.put(existing) : this.#store.delete(next.type, next.id));
      await this.#store.dropUpload(upload.directory);
      await this.#applyHost();
      throw new Refused("SCRIPT_INVALID", `Script "${next.id}" does not start: ${error.message}`);
    }
    if (existing?.directory) await this.#store.dropUpload(existing.directory);
  }

  async #upload(scriptName, props, assetsDirectory) {
    try {
      return await this.#store.upload(scriptName, {
        contentFile: props.contentFile,
        content: props.content,
        mainModule: props.mainModule,
        assetsDirectory,
        headers: props.assets?.config?.headers ?? undefined,
        redirects: props.assets?.config?.redirects ?? undefined,
      });
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
      throw new Refused("CONTENT_NOT_FOUND", `contentFile ${props.contentFile} does not exist.`);
    }
  }

  async #delete(type, id) {
    const existing = this.#store.get(type, id);
    if (existing === undefined) throw new NotFound(`${type} "${id}" does not exist.`);
    if (type === "R2Bucket") {
      if (!(await this.#host.bucketIsEmpty(id))) {
        throw new Refused("BUCKET_NOT_EMPTY", `Bucket "${id}" is not empty. Delete its objects first.`);
      }
      await this.#store.delete("R2BucketCors", id);
      await this.#store.delete("R2BucketLifecycle", id);
    }
    if (type === "WorkersScript") {
      await this.#store.delete("WorkersScriptSubdomain", id);
      await this.#store.delete("WorkersCronTrigger", id);
    }
    await this.#store.delete(type, id);
    if (APPLIED.has(type)) await this.#applyHost();
    if (type === "R2Bucket") await this.#store.dropBucket(id);
    if (type === "WorkersScript") await this.#store.dropScript(id, existing.classes.map(({ name }) => name));
    if (this.#store.list("R2Bucket").length + this.#store.list("WorkersScript").length === 0) await this.#store.dropData();
    this.#log(`deleted ${type}/${id}`);
  }

  /** Brings workerd in line with the store; requests wait at the front meanwhile. */
  #applyHost() {
    // A script is reachable only through its workers.dev subdomain, as on the platform. Of several, the oldest answers.
    const age = ({ id }) => this.#store.get("WorkersScript", id)?.props.createdOn ?? "";
    const enabled = this.#store.list("WorkersScriptSubdomain").filter(({ props }) => props.enabled);
    const [reachable] = enabled.sort((a, b) => (age(a) < age(b) ? -1 : 1));
    return this.#front.hold(() =>
      this.#host.apply({
        scripts: this.#store.list("WorkersScript"),
        buckets: this.#store.list("R2Bucket"),
        served: reachable?.id,
        internalKey: this.#store.internalKey,
      }),
    );
  }

  #exclusive(work) {
    const run = this.#tail.then(work, work);
    this.#tail = run.then(
      () => {},
      () => {},
    );
    return run;
  }
}

function publicView({ type, id, props }) {
  return { type, id, props };
}
