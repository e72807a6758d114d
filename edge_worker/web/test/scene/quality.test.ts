// What a held-out PSNR is called.
import { describe, expect, it } from "vitest";

import { psnrWords } from "../../src/scene/quality.ts";

describe("quality", () => {
  it.each([
    [19.9, "rough"],
    [20, "recognisable"],
    [25, "close"],
    [30, "very close"],
  ])("calls %d dB %s", (psnr, words) => expect(psnrWords(psnr)).toBe(words));
});
