// Counters in the Worker's own modules, so that the tests over HTTP tell which lines they ran.
// Only a bundle for tests is built with this: it answers its counters to anybody.
import { readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import path from "node:path";

import { createInstrumenter } from "@vitest/istanbul-lib-instrument";

const OURS = ["src", "shared"];
/** Where the counted Worker answers its counters. */
export const COUNTERS_PATH = "/api/__coverage__";

/** esbuild plugin: instruments src/ and shared/ with its types blanked out, so that lines stay those of the sources. */
export function counting(root) {
  const instrumenter = createInstrumenter({ esModules: true, compact: false, coverageGlobalScope: "globalThis", coverageGlobalScopeFunc: false });
  return {
    name: "counting",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/, namespace: "file" }, async ({ path: file }) => {
        if (!OURS.some((folder) => file.startsWith(path.join(root, folder) + path.sep))) return undefined;
        return { contents: instrumenter.instrumentSync(stripTypeScriptTypes(await readFile(file, "utf8")), file), loader: "js" };
      });
    },
  };
}

/** The Worker's entry, and the counters beside it. */
export function countedEntry(root) {
  return {
    resolveDir: root,
    loader: "ts",
    contents: `
      import worker from "./src/index.ts";
      export * from "./src/index.ts";
      export default {
        ...worker,
        fetch(request, env, ctx) {
          return new URL(request.url).pathname === "${COUNTERS_PATH}" ? Response.json(globalThis.__coverage__) : worker.fetch(request, env, ctx);
        },
      };`,
  };
}
