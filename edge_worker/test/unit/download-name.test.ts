// Names of downloaded files, by scene.
import { expect, test } from "vitest";

import { contentDisposition, downloadName } from "../../shared/download-name.ts";

test.each([
  ["Brass kettle", "scene.sog", "Brass kettle.sog"],
  ["Brass kettle", "scene.ply", "Brass kettle.ply"],
  ["Brass kettle", "cameras.json", "Brass kettle-cameras.json"],
  ["Brass kettle", "poster.webp", "Brass kettle-poster.webp"],
  ["Käsekuchen 🍰", "scene.spz", "Käsekuchen 🍰.spz"],
  ["../../etc/passwd", "scene.sog", "etc-passwd.sog"],
  ['a"b\\c:d*e?f<g>h|i', "scene.sog", "a-b-c-d-e-f-g-h-i.sog"],
  ["  .hidden.  ", "scene.sog", "hidden.sog"],
  ["line\r\nbreak", "scene.sog", "line-break.sog"],
  ["???", "scene.sog", "scene.sog"],
  ["CON", "scene.sog", "scene.sog"],
  ["console", "scene.sog", "console.sog"],
])("the scene %j downloads its %s as %j", (scene, artifact, name) => {
  expect(downloadName(scene, artifact)).toBe(name);
});

test("a long name leaves room within 255 bytes", () => {
  expect(new TextEncoder().encode(downloadName("ü".repeat(120), "cameras.json")).length).toBeLessThan(255 - 20);
});

test("the header has an ASCII name for old clients and the exact one", () => {
  expect(contentDisposition("Brass kettle.sog")).toBe("inline; filename=\"Brass kettle.sog\"; filename*=UTF-8''Brass%20kettle.sog");
  expect(contentDisposition("Käse (1) 🍰.sog")).toBe("inline; filename=\"Kase (1) _.sog\"; filename*=UTF-8''K%C3%A4se%20%281%29%20%F0%9F%8D%B0.sog");
  expect(contentDisposition("half \ud83c.sog")).toContain("%EF%BF%BD");
});
