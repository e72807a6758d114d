// Small words: names of photos, quality, presets.
import { describe, expect, it } from "vitest";

import { inOwnNames, photoNames } from "../src/scene/photo-names.ts";
import { presetWords } from "../src/views/common/presets.ts";
import { psnrWords } from "../src/scene/quality.ts";

describe("photo names", () => {
  const names = photoNames([{ as: "0001.heic", name: "IMG_7.HEIC", type: "image/heic", bytes: 1, uploaded: true }]);

  it("are people's own, also when the worker changed the ending", () => expect(names("0001.jpg")).toBe("IMG_7.HEIC"));
  it("stand in the worker's sentences, too", () =>
    expect(inOwnNames("4 of 5. 0001.jpg: The same picture as 0002.jpg, 1000 px.", names)).toBe("4 of 5. IMG_7.HEIC: The same picture as 0002.jpg, 1000 px."));
  it("fall back to the server's", () => expect(names("0002.jpg")).toBe("0002.jpg"));
});

describe("quality", () => {
  it.each([
    [19.9, "rough"],
    [20, "recognisable"],
    [25, "close"],
    [30, "very close"],
  ])("calls %d dB %s", (psnr, words) => expect(psnrWords(psnr)).toBe(words));
});

describe("presets", () => {
  it("that are new to the page are offered by their name", () => expect(presetWords("ultra").label).toBe("ultra"));
});
