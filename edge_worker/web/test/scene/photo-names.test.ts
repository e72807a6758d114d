// Photos are called by their owner's file names.
import { describe, expect, it } from "vitest";

import { inOwnNames, photoNames } from "../../src/scene/photo-names.ts";

describe("photo names", () => {
  const names = photoNames([
    { as: "0001.heic", name: "IMG_7.HEIC", type: "image/heic", bytes: 1, uploaded: true, thumbnail: false, frames: null },
    { as: "0004.mp4", name: "my walk.mp4", type: "video/mp4", bytes: 1, uploaded: true, thumbnail: false, frames: 20 },
  ]);

  it("are the owner's, even if the worker changed the extension", () => expect(names("0001.jpg")).toBe("IMG_7.HEIC"));
  it("replace the server's in the worker's messages", () =>
    expect(inOwnNames("4 of 5. 0001.jpg: Duplicate of 0002.jpg, 1000 px.", names)).toBe("4 of 5. IMG_7.HEIC: Duplicate of 0002.jpg, 1000 px."));
  it("name a frame by its clip and its time", () => expect(names("0004.mp4 0:03.25")).toBe("my walk.mp4 0:03.25"));
  it("fall back to the server's", () => expect(names("0002.jpg")).toBe("0002.jpg"));
});
