// The files that browsers and search engines ask for by themselves, and those that the page and its manifest name.
import { readFileSync } from "node:fs";
import path from "node:path";

import { expect, test } from "vitest";

const WEB = path.resolve(import.meta.dirname, "..");
const read = (name: string): Buffer => readFileSync(path.join(WEB, "public", name));

/** First bytes, by ending. */
const HEADS: Readonly<Record<string, string>> = { ".ico": "\x00\x00\x01\x00", ".png": "\x89PNG", ".svg": "<svg", ".txt": "# ", ".webmanifest": "{" };

const html = readFileSync(path.join(WEB, "index.html"), "utf8");
const manifest = JSON.parse(read("manifest.webmanifest").toString()) as { icons: { src: string }[] };
const named = [...html.matchAll(/<link [^>]*href="([^"]+)"/g)].map(([, href = ""]) => href);

test.each(["/favicon.ico", "/robots.txt", ...named, ...manifest.icons.map(({ src }) => src)])("%s is a file of its type", (name) => {
  const head = HEADS[path.extname(name)];
  expect(head).toBeDefined();
  expect(read(name).toString("latin1").startsWith(head ?? "")).toBe(true);
});
