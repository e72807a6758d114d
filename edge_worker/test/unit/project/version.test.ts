import { describe, expect, test } from "vitest";

import { ApiError } from "../../../src/errors.ts";
import { isKnown, projectTag, requireMatch } from "../../../src/project/version.ts";

const project = { updated_at: "2026-11-30T12:00:00.000Z", photos: { count: 3, bytes: 900 } };
const tag = projectTag(project);

describe("a project's tag", () => {
  test.each([
    { ...project, updated_at: "2026-11-30T12:00:00.001Z" },
    { ...project, photos: { count: 4, bytes: 900 } },
    { ...project, photos: { count: 3, bytes: 901 } },
  ])("changes with %j", (changed) => {
    expect(projectTag(changed)).not.toBe(tag);
    expect(projectTag({ ...project })).toBe(tag);
  });
});

describe("If-Match", () => {
  test.each([null, "*", tag, `"other", ${tag}`, ` ${tag} `])("%s allows the change", (header) => {
    requireMatch(header, tag);
  });

  test.each(["", '"other"', `W/${tag}`, tag.slice(1, -1)])("%s refuses it, with the tag as it is now", (header) => {
    expect(() => requireMatch(header, tag)).toThrow(ApiError);
    try {
      requireMatch(header, tag);
    } catch (error) {
      expect(error).toMatchObject({ code: "PRECONDITION_FAILED", status: 412, headers: { etag: tag } });
    }
  });
});

test.each([
  [undefined, false],
  ["*", true],
  [tag, true],
  [`W/${tag}`, true],
  [`"other"`, false],
] as const)("If-None-Match %s: known is %s", (header, known) => {
  expect(isKnown(header, tag)).toBe(known);
});
