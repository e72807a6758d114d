// Visible texts stand in src/texts/, ready for translation. The pages below still hold texts of their own: the list only shrinks.
import { readdirSync, readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

const STILL_OWN = [
  "app.tsx",
  "views/common/boundary.tsx",
  "views/common/drop-zone.tsx",
  "views/common/frame.tsx",
  "views/common/notices.tsx",
  "views/common/parts.tsx",
  "views/common/preset-choice.tsx",
  "views/common/ring.tsx",
  "views/home/home.tsx",
  "views/new/review.tsx",
  "views/operations/charts.tsx",
  "views/operations/checks.tsx",
  "views/operations/operations.tsx",
  "views/project/ended.tsx",
  "views/project/interrupted.tsx",
  "views/project/project.tsx",
  "views/project/sending.tsx",
];

/** Text between tags, and attributes that people see or hear. A name in code has no capital followed by small letters there. */
const BETWEEN_TAGS = />\s*[A-Z][a-z]+(?: [^<>{}=;]*)?(?:\s*<\/|\s*\{|\s+<[a-z])/;
const ATTRIBUTE = /\s(?:title|lead|label|alt|action|keep|note|explain|what|message|placeholder|aria-label)=(?:"[A-Z]|\{`[A-Z])/;

/** The product's name is the same in every language. */
const IN_EXPRESSION = /[?:]\s*["`](?!Splat")[A-Z][a-z]+[^"`]*["`]/;

/** Whether the source of a page has a text of its own. */
export function holdsText(source: string): boolean {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
  return BETWEEN_TAGS.test(code) || ATTRIBUTE.test(code) || IN_EXPRESSION.test(code);
}

const root = new URL("../src/", import.meta.url);
const pages = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".tsx"));

describe("visible texts", () => {
  it("are found between tags, over lines and in attributes, and not in code", () => {
    expect(holdsText("<p>Hello there</p>")).toBe(true);
    expect(holdsText("<button>\n  Remove\n</button>")).toBe(true);
    expect(holdsText('<Notice title="Not found" />')).toBe(true);
    expect(holdsText('<p>{open ? "Close it" : null}</p>')).toBe(true);
    expect(holdsText("<p>{PHOTOS.title}</p>")).toBe(false);
    expect(holdsText("const a = new Map<string, Photo>(all);\n// <p>Hello there</p>")).toBe(false);
  });

  it("stand in one catalogue, except on the pages that still hold their own", () => {
    const own = pages.filter((name) => holdsText(readFileSync(new URL(name, root), "utf8"))).sort();
    expect(own).toEqual(STILL_OWN);
  });
});
