// Maps addresses to pages.
import { describe, expect, it } from "vitest";

import { match, projectPath } from "../../src/lib/router.ts";

describe("match", () => {
  it.each([
    ["/", { page: "home" }],
    ["/new", { page: "new" }],
    ["/new/", { page: "new" }],
    ["/operations", { page: "operations" }],
    ["/operations/x", { page: "missing" }],
    ["/p/p_7f3k", { page: "project", id: "p_7f3k" }],
    ["/s/p_7f3k.secret", { page: "shared", token: "p_7f3k.secret" }],
    ["/p", { page: "missing" }],
    ["/p/a/b", { page: "missing" }],
    ["/p/%E0%A4", { page: "missing" }],
    ["/anything", { page: "missing" }],
  ])("%s", (path, route) => expect(match(path)).toEqual(route));

  it("matches the path of any project", () => {
    for (const id of ["p_1", "a b", "ä/ö", "100%"]) expect(match(projectPath(id))).toEqual({ page: "project", id });
  });
});
