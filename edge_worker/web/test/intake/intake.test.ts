// Which photos are usable, why others are not, and what the advice says.
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { PhotoLimits } from "../../../shared/limits.ts";
import { advise, judge, leftOut, photosIn, suggestName, uniqueNames, type Facts } from "../../src/intake/rules.ts";
import { isBlurred, sharpness, softPhotos } from "../../src/intake/sharpness.ts";

const LIMITS: PhotoLimits = { photos_min: 5, photos_max: 8, photo_bytes_max: 25_000_000 };
const photo = (change: Partial<Facts> = {}): Facts => ({
  name: "a.jpg",
  bytes: 1000,
  type: "image/jpeg",
  sha256: null,
  sharpness: 1,
  opens: true,
  seconds: null,
  ...change,
});

describe("an absolute measure of blur", () => {
  /** Black and white squares of 16 px, averaged twice over (2 * radius + 1) pixels in both directions. */
  const picture = (radius: number): number => {
    const side = 128;
    const square = (x: number, y: number): number => (((x >> 4) + (y >> 4)) & 1) * 255;
    const rgba = new Uint8ClampedArray(4 * side * side);
    for (let y = 0; y < side; y += 1) {
      for (let x = 0; x < side; x += 1) {
        let sum = 0;
        for (let dy = -2 * radius; dy <= 2 * radius; dy += 1) for (let dx = -2 * radius; dx <= 2 * radius; dx += 1) sum += square(x + dx + 64, y + dy + 64) * (2 * radius + 1 - Math.abs(dx)) * (2 * radius + 1 - Math.abs(dy));
        const grey = sum / (2 * radius + 1) ** 4;
        rgba.set([grey, grey, grey, 255], 4 * (y * side + x));
      }
    }
    return sharpness(rgba, side, side);
  };

  it("separates a sharp picture from a blurred one", () => {
    expect([isBlurred(picture(0)), isBlurred(picture(3)), isBlurred(null)]).toEqual([false, true, false]);
  });
});

describe("judge", () => {
  const reason = (facts: Facts[], i: number): string | null => {
    const verdict = judge(facts, LIMITS)[i];
    return verdict?.use === false ? verdict.reason : null;
  };

  it.each([
    ["a file that is not a photo", { type: null }, "Not a supported photo"],
    ["a video of another kind", { type: null, name: "walk.MOV" }, "This is a video of another kind. Save it as MP4 or MOV."],
    ["a damaged clip", { type: "video/mp4" }, "The clip is damaged or incomplete."],
    ["a clip that is too large", { type: "video/mp4", seconds: 60, bytes: 4.3e9 }, "Too large: 4.3 GB. The limit is 4.3 GB per clip."],
    ["a clip that is too long", { type: "video/quicktime", seconds: 601 }, "Too long: 10 min 1 s. The limit is 10 min per clip."],
    ["a file that is too large", { bytes: 25_000_001 }, "Too large: 25.0 MB. The limit is 25.0 MB per photo."],
    ["a damaged file", { opens: false }, "damaged"],
  ] as const)("rejects %s", (_what, change, words) => expect(reason([photo(change)], 0)).toContain(words));

  it("leaves out hidden and empty files, with the reason", () => {
    expect([leftOut(".DS_Store", 6148), leftOut("a.jpg", 0), leftOut("a.jpg", 1)]).toEqual(["Hidden file", "Empty file", null]);
  });

  it("counts a clip for its frames, at least 20 and at most what photos leave of the limit", () => {
    const clip = photo({ type: "video/mp4", seconds: 15, sharpness: null });
    expect(judge([clip], LIMITS)[0]).toEqual({ use: true, hint: "15 s, up to 30 frames" });
    expect([photosIn([clip], { ...LIMITS, photos_max: 400 }), photosIn([photo(), clip], { ...LIMITS, photos_max: 400 }), photosIn([clip], LIMITS)]).toEqual([30, 31, 8]);
    expect(reason([clip, photo()], 1), "no photo joins where frames fill the limit").toBe("Over the limit of 8 photos.");
  });

  it("accepts a file of exactly the limit", () => {
    expect(reason([photo({ bytes: 25_000_000 })], 0)).toBeNull();
  });

  it("keeps the first of two identical photos and names it for the second", () => {
    const copies = [photo({ name: "one.jpg", sha256: "x" }), photo({ name: "two.jpg", sha256: "x" })];
    expect(reason(copies, 0)).toBeNull();
    expect(reason(copies, 1)).toBe("Duplicate of one.jpg.");
  });

  it("counts only usable photos against the maximum", () => {
    const many = [photo({ type: null }), ...Array.from({ length: 9 }, () => photo())];
    expect(judge(many, LIMITS).filter(({ use }) => use)).toHaveLength(8);
    expect(reason(many, 9)).toContain("limit of 8 photos");
  });

  it("notices a set that is blurred throughout, which no photo of it stands out from", () => {
    const set = Array.from({ length: 6 }, () => photo({ sharpness: 0.006 }));
    expect(judge(set, LIMITS).map((verdict) => verdict.use && verdict.hint)).toEqual(Array.from({ length: 6 }, () => "Blurred. Retake it if you can."));
    expect(advise(6, LIMITS, 6).words).toContain("6 of 6 photos are blurred.");
    expect(advise(6, LIMITS, 3).words).not.toContain("blurred");
  });

  it("adds a hint to a soft photo and still uses it", () => {
    const set = [...Array.from({ length: 6 }, () => photo()), photo({ sharpness: 0.1 })];
    expect(judge(set, LIMITS)[6]).toEqual({ use: true, hint: "Blurrier than the others. Retake it if you can." });
  });

  it("returns one verdict per file, and never uses more than the maximum", () => {
    const facts = fc.record({
      name: fc.string(),
      bytes: fc.nat(50_000_000),
      type: fc.constantFrom(null, "image/jpeg" as const),
      sha256: fc.option(fc.constantFrom("a", "b", "c")),
      sharpness: fc.option(fc.double({ min: 0, max: 10, noNaN: true })),
      opens: fc.boolean(),
      seconds: fc.constant(null),
    });
    fc.assert(
      fc.property(fc.array(facts, { maxLength: 30 }), (files) => {
        const verdicts = judge(files, LIMITS);
        expect(verdicts).toHaveLength(files.length);
        expect(verdicts.filter(({ use }) => use).length).toBeLessThanOrEqual(LIMITS.photos_max);
      }),
    );
  });
});

describe("advice", () => {
  it.each([
    [0, false, "Add 5 more photos"],
    [4, false, "Add 1 more photo."],
    [5, true, "Enough to start"],
    [20, true, "A good number"],
  ])("for %d photos", (used, enough, words) => {
    const advice = advise(used, LIMITS);
    expect(advice.enough).toBe(enough);
    expect(advice.words).toContain(words);
  });
});

describe("names", () => {
  it("become unique and keep their extension", () => {
    expect(uniqueNames(["a.jpg", "a.jpg", "b", "b", "a (2).jpg"])).toEqual(["a.jpg", "a (2).jpg", "b", "b (2)", "a (2) (2).jpg"]);
  });

  it("contain no characters that the server rejects", () => {
    expect(uniqueNames(["a\u202egpj.jpg", "a?gpj.jpg", "\ud800.jpg"])).toEqual(["a?gpj.jpg", "a?gpj (2).jpg", "?.jpg"]);
  });

  it("are unique for any input", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a.jpg", "a (2).jpg", "a (3).jpg", ".x", "b"), { maxLength: 12 }), (names) => {
        expect(new Set(uniqueNames(names)).size).toBe(names.length);
      }),
    );
  });

  it("of a scene come from its only folder, else from the date", () => {
    const today = new Date(2026, 10, 23);
    expect(suggestName(["brass_kettle/1.jpg", "brass_kettle/2.jpg"], today)).toBe("brass kettle");
    expect(suggestName(["a/1.jpg", "b/2.jpg"], today)).toBe("Scene from 23 November");
    expect(suggestName(["1.jpg"], today)).toBe("Scene from 23 November");
    expect(suggestName(["my_walk.MOV"], today)).toBe("my walk");
  });
});

describe("sharpness", () => {
  const SIDE = 32;
  const picture = (grey: (x: number, y: number) => number): Uint8ClampedArray => {
    const data = new Uint8ClampedArray(SIDE * SIDE * 4);
    for (let i = 0; i < SIDE * SIDE; i += 1) data.fill(grey(i % SIDE, Math.floor(i / SIDE)), 4 * i, 4 * i + 3);
    return data;
  };
  const wave = (period: number) => (x: number) => 128 + 100 * Math.sin((2 * Math.PI * x) / period);

  it("is higher for finer detail", () => {
    expect(sharpness(picture(wave(4)), SIDE, SIDE)).toBeGreaterThan(4 * sharpness(picture(wave(16)), SIDE, SIDE));
  });

  it("does not mistake low contrast for blur", () => {
    const strong = sharpness(picture((x) => 128 + (x % 4 < 2 ? 100 : -100)), SIDE, SIDE);
    const weak = sharpness(picture((x) => 128 + (x % 4 < 2 ? 10 : -10)), SIDE, SIDE);
    expect(weak / strong).toBeCloseTo(1, 1);
  });

  it("is zero for a flat image", () => expect(sharpness(picture(() => 90), SIDE, SIDE)).toBe(0));

  it("marks no photo as soft in a small set, or if all are alike", () => {
    expect(softPhotos([1, 1, 0.01])).toEqual(new Set());
    expect(softPhotos([0.01, 0.011, 0.012, 0.01, 0.011])).toEqual(new Set());
  });

  it("finds soft photos and skips unknown scores", () => {
    expect(softPhotos([1, 1.1, null, 0.9, 1, 0.2, 1])).toEqual(new Set([5]));
  });
});
