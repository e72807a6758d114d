import { expect, test } from "vitest";

import { isTheFile } from "../../src/lib/file-types.ts";

test.each([
  ["/assets/index-abc.js", "text/javascript; charset=utf-8", true],
  ["/assets/index-abc.js", "application/javascript", true],
  ["/assets/index-abc.js", "text/html; charset=utf-8", false],
  ["/assets/index-abc.js", "application/json", false],
  ["/assets/index-abc.js", null, false],
  ["/assets/index-abc.css", "text/css", true],
  ["/assets/index-abc.css", "text/html", false],
  ["/assets/archivo.woff2", "font/woff2", true],
  ["/assets/archivo.woff2", "text/html", false],
  ["/icons/icon.svg", "image/svg+xml", true],
  ["/manifest.webmanifest", "application/manifest+json", true],
  ["/manifest.webmanifest", "text/html", false],
  ["/", "text/html; charset=utf-8", true],
  ["/", "application/json", false],
])("%s answered with %s is the file: %s", (path, type, is) => {
  expect(isTheFile(path, type)).toBe(is);
});
