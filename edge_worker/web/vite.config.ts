// Builds the app into ../dist/web, and its service worker with the list of files to cache.
// Never inlines scripts, styles or fonts: the content security policy blocks them.
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";

import { defineConfig, type Plugin } from "vite";

import { DESCRIPTION_FILE, describeApi } from "../scripts/describe-api.mjs";

/** Files of the offline shell: all that the first screen needs, without the 3D engine. */
const SHELL = /^(index\.html|assets\/(index|archivo-latin-standard)[^/]*\.(js|css|woff2))$/;
const SHELL_PUBLIC = ["manifest.webmanifest", "icons/icon.svg"];

/** Writes the shell's file list and its hash into sw.js, so a new build replaces the old cache. */
function listShellInServiceWorker(): Plugin {
  return {
    name: "shell-in-service-worker",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const worker = bundle["sw.js"];
        if (worker?.type !== "chunk") this.error("sw.js was not built");
        const files = Object.keys(bundle).filter((name) => SHELL.test(name));
        const hash = createHash("sha256");
        for (const name of files.toSorted()) {
          const file = bundle[name];
          hash.update(name).update(file?.type === "chunk" ? file.code : (file?.source ?? ""));
        }
        const paths = [...files.filter((name) => name !== "index.html"), ...SHELL_PUBLIC].map((name) => `/${name}`);
        worker.code = worker.code
          .replace("__SHELL_FILES__", JSON.stringify(["/", ...paths.toSorted()]))
          .replace("__SHELL_VERSION__", JSON.stringify(hash.digest("hex").slice(0, 16)));
      },
    },
  };
}

/** Loads the typeface together with the styles, so the first text is drawn only once. */
function preloadTypeface(): Plugin {
  return {
    name: "preload-typeface",
    transformIndexHtml: {
      order: "post",
      handler(_html, { bundle }) {
        const font = Object.keys(bundle ?? {}).find((name) => /archivo-latin-standard-normal.*\.woff2$/.test(name));
        if (!font) return [];
        return [{ tag: "link", attrs: { rel: "preload", as: "font", type: "font/woff2", href: `/${font}`, crossorigin: "" }, injectTo: "head" }];
      },
    },
  };
}

/** The description of the API, which the edge worker serves from the assets. */
function describeTheApi(): Plugin {
  return {
    name: "describe-the-api",
    async generateBundle() {
      this.emitFile({ type: "asset", fileName: DESCRIPTION_FILE, source: await describeApi() });
    },
  };
}

/** Gzipped bytes of what every visit loads, and of the 3D engine. Measured 2026-11-30: 47 kB (54 kB with styles and page) and 543 kB. */
const ENTRY_MAX_BYTES = 50_000;
const VIEWER_MAX_BYTES = 600_000;

/** Fails the build when a bundle outgrows its budget. */
function keepLight(): Plugin {
  return {
    name: "keep-light",
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        const limit = chunk.isEntry ? ENTRY_MAX_BYTES : VIEWER_MAX_BYTES;
        const size = gzipSync(chunk.code).length;
        if (size > limit) this.error(`${chunk.fileName} is ${size} bytes gzipped, the limit is ${limit}. Look for an import of a whole library.`);
      }
    },
  };
}

export default defineConfig({
  root: import.meta.dirname,
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2023",
    chunkSizeWarningLimit: 2600,
    rollupOptions: {
      input: { index: `${import.meta.dirname}/index.html`, sw: `${import.meta.dirname}/src/sw.ts` },
      output: {
        entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js"),
        assetFileNames: "assets/[name]-[hash][extname]",
        chunkFileNames: "assets/[name]-[hash].js",
      },
    },
  },
  plugins: [preloadTypeface(), listShellInServiceWorker(), describeTheApi(), keepLight()],
});
