// Names in an archive.
import { expect, it } from "vitest";

import { uniquely } from "../../src/lib/save-zip.ts";

it("gives each file of an archive a name of its own", () => {
  expect(uniquely(["a.jpg", "b.jpg", "a.jpg", "a.jpg", "x", "x", ".env", ".env"])).toEqual(["a.jpg", "b.jpg", "a (2).jpg", "a (3).jpg", "x", "x (2)", ".env", ".env (2)"]);
});
