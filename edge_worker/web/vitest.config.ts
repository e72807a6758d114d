// Runs the tests of the app's pure logic in Node. Tests that need a browser are in tests/browser.
// Never uses the network.
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: import.meta.dirname,
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  test: { include: ["test/**/*.test.ts"], environment: "node" },
});
