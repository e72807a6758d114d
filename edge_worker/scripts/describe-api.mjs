// Runs scripts/openapi.ts, and with it the table of endpoints, outside of the Worker: where no object and no asset exists.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Among the assets; src/routes/index.ts serves it. */
export const DESCRIPTION_FILE = "openapi.json";

/** The API's description as JSON. Same sources, same bytes. */
export async function describeApi() {
  const { version } = JSON.parse(await readFile(`${root}/package.json`, "utf8"));
  const [{ text }] = (
    await build({
      absWorkingDir: root,
      entryPoints: ["scripts/openapi.ts"],
      bundle: true,
      format: "esm",
      platform: "node",
      define: { BUILD_VERSION: JSON.stringify(version) },
      plugins: [{ name: "no-objects", setup: withoutObjects }],
      logLevel: "warning",
      write: false,
    })
  ).outputFiles;
  const { describeApi: describe } = await import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);
  return JSON.stringify(describe());
}

function withoutObjects({ onResolve, onLoad }) {
  onResolve({ filter: /^cloudflare:workers$/ }, ({ path: name }) => ({ path: name, namespace: "no-objects" }));
  onLoad({ filter: /./, namespace: "no-objects" }, () => ({ contents: "export class DurableObject {}" }));
}
