import { defineConfig } from "vitest/config";

// Plain node: the built bundle runs in the local cloud's own runtime, reached over HTTP like in production.
export default defineConfig({
  test: {
    dir: import.meta.dirname,
    include: ["**/*.test.ts"],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Each file has its own runtime; two of them fill two cores.
    maxWorkers: 2,
  },
});
