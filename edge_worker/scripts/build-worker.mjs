// Bundles src/index.ts into dist/index.js, the one module that `pulumi up` deploys. With --coverage, into dist/coverage/index.js,
// which counts its own lines for tests and is never deployed. No timestamp, no local path: same source, same bytes.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { countedEntry, counting } from "./counting.mjs";
import { DESCRIPTION_FILE, describeApi } from "./describe-api.mjs";

/** Free-plan Workers start within 400 ms of CPU and every byte is parsed; a library imported whole breaks this at once. Measured 2026-11-30: 244 kB, room for a few more features. */
const MAX_BUNDLE_BYTES = 290_000;
const root = fileURLToPath(new URL("..", import.meta.url));
const coverage = process.argv.includes("--coverage");
const { version } = JSON.parse(await readFile(`${root}/package.json`, "utf8"));

const result = await build({
  absWorkingDir: root,
  ...(coverage ? { stdin: countedEntry(root), plugins: [counting(root)] } : { entryPoints: ["src/index.ts"], minify: true }),
  outfile: coverage ? "dist/coverage/index.js" : "dist/index.js",
  external: ["cloudflare:*"],
  bundle: true,
  format: "esm",
  target: "es2024",
  platform: "neutral",
  mainFields: ["module", "main"],
  conditions: ["workerd", "worker", "browser", "import"],
  define: { BUILD_VERSION: JSON.stringify(version) },
  legalComments: "none",
  logLevel: "warning",
  write: false,
});

const [{ path: outfile, contents }] = result.outputFiles;
process.stderr.write(`${path.relative(root, outfile)}: ${contents.byteLength} bytes\n`);
if (!coverage && contents.byteLength > MAX_BUNDLE_BYTES) {
  process.stderr.write(`dist/index.js is ${contents.byteLength} bytes, allowed ${MAX_BUNDLE_BYTES}: look for an import of a whole library.\n`);
  process.exit(1);
}
await replace(outfile, contents);
// An asset: packed into the Worker it would take 9 kB of its start-up. The web build writes the same file.
await replace(path.join(root, "dist/web", DESCRIPTION_FILE), await describeApi());

/** In one step: a deployment may be reading the old file. */
async function replace(file, content) {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.next`, content);
  await rename(`${file}.next`, file);
}
