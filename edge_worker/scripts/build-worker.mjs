// Bundles src/index.ts into dist/index.js, the one module that `pulumi up` deploys. With --coverage, into dist/coverage/index.js,
// which counts its own lines for tests and is never deployed. No timestamp, no local path: same source, same bytes.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { deflateRawSync } from "node:zlib";

import { build } from "esbuild";

import { countedEntry, counting } from "./counting.mjs";

/** Free-plan Workers start within 400 ms of CPU and every byte is parsed; a library imported whole breaks this at once. Measured 2026-11-30: 194 kB. */
const MAX_BUNDLE_BYTES = 220_000;
const root = fileURLToPath(new URL("..", import.meta.url));
const coverage = process.argv.includes("--coverage");
const { version } = JSON.parse(await readFile(`${root}/package.json`, "utf8"));
const common = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  target: "es2024",
  platform: "neutral",
  mainFields: ["module", "main"],
  conditions: ["workerd", "worker", "browser", "import"],
  legalComments: "none",
  logLevel: "warning",
  write: false,
};

const result = await build({
  ...common,
  ...(coverage ? { stdin: countedEntry(root), plugins: [counting(root)] } : { entryPoints: ["src/index.ts"], minify: true }),
  outfile: coverage ? "dist/coverage/index.js" : "dist/index.js",
  external: ["cloudflare:*"],
  define: { BUILD_VERSION: JSON.stringify(version), API_DESCRIPTION: JSON.stringify(await describe()) },
});

const [{ path: outfile, contents }] = result.outputFiles;
process.stderr.write(`${path.relative(root, outfile)}: ${contents.byteLength} bytes\n`);
if (!coverage && contents.byteLength > MAX_BUNDLE_BYTES) {
  process.stderr.write(`dist/index.js is ${contents.byteLength} bytes, allowed ${MAX_BUNDLE_BYTES}: look for an import of a whole library.\n`);
  process.exit(1);
}
// Replaced in one step: a deployment may be reading the old file.
await mkdir(path.dirname(outfile), { recursive: true });
await writeFile(`${outfile}.next`, contents);
await rename(`${outfile}.next`, outfile);

/** The API's description as the Worker holds it: JSON, deflate, base64. Runs the table of endpoints here, where no object lives. */
async function describe() {
  const [{ text }] = (
    await build({
      ...common,
      entryPoints: ["scripts/openapi.ts"],
      define: { BUILD_VERSION: JSON.stringify(version), API_DESCRIPTION: '""' },
      plugins: [{ name: "no-objects", setup: withoutObjects }],
    })
  ).outputFiles;
  const { describeApi } = await import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);
  return deflateRawSync(JSON.stringify(describeApi()), { level: 9 }).toString("base64");
}

function withoutObjects({ onResolve, onLoad }) {
  onResolve({ filter: /^cloudflare:workers$/ }, ({ path: name }) => ({ path: name, namespace: "no-objects" }));
  onLoad({ filter: /./, namespace: "no-objects" }, () => ({ contents: "export class DurableObject {}" }));
}
