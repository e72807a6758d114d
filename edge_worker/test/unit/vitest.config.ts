import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

// Secrets that wrangler.jsonc declares as required come from the environment, as in production they come from the stack.
Object.assign(process.env, {
  API_TOKENS: JSON.stringify([{ name: "owner", sha256: "0".repeat(64), scopes: ["operate"] }]),
  HOOK_KEYS: JSON.stringify([`${"A".repeat(43)}=`]),
  RUNPOD_API_KEY: "rp_test_key",
  RUNPOD_ENDPOINT_ID: "ep123",
  S3_ACCESS_KEY_ID: "id",
  S3_SECRET_ACCESS_KEY: "secret",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_HIDE_BANNER: "true",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  CI: "1",
});

// Inside workerd, with the bindings of wrangler.jsonc: pure modules, WebCrypto, and the objects under a clock of our own.
export default defineConfig({
  plugins: [cloudflareTest({ wrangler: { configPath: `${import.meta.dirname}/../../wrangler.jsonc` } })],
  define: { BUILD_VERSION: JSON.stringify("test") },
  test: {
    silent: "passed-only",
    dir: import.meta.dirname,
    include: ["**/*.test.ts"],
    testTimeout: 60_000,
    // scripts/coverage.mjs joins this with what the tests over HTTP ran.
    coverage: { provider: "istanbul", include: ["src/**", "shared/**"], reporter: ["json"], reportsDirectory: "coverage/unit" },
  },
});
