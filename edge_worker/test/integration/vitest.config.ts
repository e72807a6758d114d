import { defineConfig } from "vitest/config";

// Plain node: the built bundle runs in the local cloud's own runtime, reached over HTTP like in production.
export default defineConfig({
  test: {
    dir: import.meta.dirname,
    include: ["**/*.test.ts"],
    // Generous: a busy machine may need ten times what a quiet one does.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Each file has its own runtime; two of them fill two cores.
    maxWorkers: 2,
  },
});
