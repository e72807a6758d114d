// Declared photos: names, resumed uploads, limits.
import { describe, expect, test } from "vitest";

import type { Limits } from "../../../shared/limits.ts";
import { ApiError } from "../../../src/errors.ts";
import { PhotoDeclarationSchema, photosIn, planUploads, type Photo } from "../../../src/project/photos/rules.ts";
import { BINDINGS } from "../support/bindings.ts";

const LIMITS = JSON.parse(BINDINGS["LIMITS"] ?? "") as Limits;

describe("photos", () => {
  const photo = (as: string, change: Partial<Photo> = {}): Photo => ({ as, name: "a.jpg", type: "image/jpeg", frames: null, bytes: 100, sha256: null, uploaded: false, ...change });
  const declared = { name: "a.jpg", type: "image/jpeg", bytes: 100 } as const;

  test("are named by number and type, never by their file name", () => {
    const plan = planUploads([declared, { name: "../../etc/passwd", type: "image/heic", bytes: 1 }], [], 7, LIMITS);
    expect(plan.photos.map(({ as }) => as)).toEqual(["0007.jpg", "0008.heic"]);
    expect(plan.nextNumber).toBe(9);
  });

  test("declared again keep their name only while they have not arrived", () => {
    expect(planUploads([declared], [photo("0001.jpg")], 2, LIMITS)).toMatchObject({ photos: [{ as: "0001.jpg" }], added: [], nextNumber: 2 });
    expect(planUploads([declared], [photo("0001.jpg", { uploaded: true })], 2, LIMITS).photos[0]?.as).toBe("0002.jpg");
    expect(planUploads([declared], [photo("0001.jpg", { bytes: 99 })], 2, LIMITS).photos[0]?.as).toBe("0002.jpg");
    expect(planUploads([declared, declared], [photo("0001.jpg")], 2, LIMITS).photos.map(({ as }) => as)).toEqual(["0001.jpg", "0002.jpg"]);
  });

  test("of a clip are counted by its length, within what is left of the limit", () => {
    const clip = { name: "walk.mov", type: "video/quicktime", bytes: 900, seconds: 4 } as const;
    const wide = { ...LIMITS, photos_max: 500 };
    const plan = planUploads([clip, declared], [], 1, wide);
    expect(plan.photos.map(({ as, frames }) => [as, frames])).toEqual([["0001.mov", 20], ["0002.jpg", null]]);
    expect(planUploads([{ ...clip, seconds: 60 }], [], 1, wide).photos[0]?.frames).toBe(120);
    expect(planUploads([{ ...clip, seconds: 600 }], [], 1, wide).photos[0]?.frames).toBe(200);
    expect(planUploads([{ ...clip, seconds: 60 }], [photo("0001.jpg")], 2, LIMITS).photos[0]?.frames).toBe(LIMITS.photos_max - 1);
    expect(photosIn(plan.photos)).toBe(21);
    expect(() => planUploads([clip], [photo("0001.mp4", { type: "video/mp4", frames: LIMITS.photos_max })], 2, LIMITS)).toThrow(/more than the limit of/);
  });

  test("of a clip need its length, and bytes within the limit of clips", () => {
    const clip = { name: "walk.mp4", type: "video/mp4", bytes: 900 } as const;
    expect(PhotoDeclarationSchema.safeParse(clip).error?.issues[0]?.path).toEqual(["seconds"]);
    expect(PhotoDeclarationSchema.safeParse({ ...declared, seconds: 5 }).success, "a photo has no length").toBe(false);
    expect(() => planUploads([{ ...clip, seconds: 5, bytes: 2 ** 32 + 1 }], [], 1, LIMITS)).toThrow(/more than the limit of 4\.29 GB per clip/);
    expect(PhotoDeclarationSchema.safeParse({ ...clip, seconds: 601 }).success).toBe(false);
  });

  test.each([
    { what: "one byte over", given: [{ ...declared, bytes: 1001 }], code: "TOO_LARGE" },
    { what: "one photo over", given: Array(11).fill(declared), code: "CONFLICT" },
    { what: "one byte over in all", given: [...Array(5).fill({ ...declared, bytes: 1000 }), { ...declared, bytes: 1 }], code: "TOO_LARGE" },
  ])("$what are refused with $code and the numbers", ({ given, code }) => {
    expect(() => planUploads(given, [], 1, LIMITS)).toThrow(ApiError);
    try {
      planUploads(given, [], 1, LIMITS);
    } catch (error) {
      expect(error).toMatchObject({ code, message: expect.stringMatching(/\d+.*, more than the limit of \d+/) });
    }
  });

  test("at the limits are accepted", () => {
    expect(planUploads(Array(5).fill({ ...declared, bytes: 1000 }), [], 1, LIMITS).added).toHaveLength(5);
    expect(planUploads(Array(10).fill({ ...declared, bytes: 1 }), [], 1, LIMITS).added).toHaveLength(10);
  });

  test.each([
    { ...declared, type: "text/html" },
    { ...declared, bytes: 0 },
    { ...declared, bytes: 1.5 },
    { ...declared, bytes: -1 },
    { ...declared, name: "" },
    { ...declared, name: "a\nb" },
    { ...declared, name: "x".repeat(256) },
    { ...declared, sha256: "abc" },
    { ...declared, key: "projects/other" },
  ])("declared as %j are refused", (given) => {
    expect(PhotoDeclarationSchema.safeParse(given).success).toBe(false);
  });
});
