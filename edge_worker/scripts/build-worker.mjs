// Bundles src/index.ts into dist/index.js, the one module that `pulumi up` ships.
// Never adds a timestamp or a path of this machine: the same source gives the same bytes.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const MAX_BUNDLE_BYTES = 200_000;
const root = fileURLToPath(new URL("..", import.meta.url));
const { version } = JSON.parse(await readFile(`${root}/package.json`, "utf8"));

const result = await build({
  absWorkingDir: root,
  entryPoints: ["src/index.ts"],
  outfile: "dist/index.js",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2024",
  platform: "neutral",
  mainFields: ["module", "main"],
  conditions: ["workerd", "worker", "browser", "import"],
  external: ["cloudflare:*"],
  define: { BUILD_VERSION: JSON.stringify(version) },
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
  write: false,
});

const { bytes } = result.metafile.outputs["dist/index.js"];
process.stderr.write(`dist/index.js: ${bytes} bytes\n`);
if (bytes > MAX_BUNDLE_BYTES) {
  process.stderr.write(`dist/index.js is ${bytes} bytes, allowed ${MAX_BUNDLE_BYTES}: look for an import of a whole library.\n`);
  process.exit(1);
}
// Put in place in one step: somebody may be deploying the old one.
await mkdir(`${root}/dist`, { recursive: true });
await writeFile(`${root}/dist/index.js.next`, result.outputFiles[0].contents);
await rename(`${root}/dist/index.js.next`, `${root}/dist/index.js`);
