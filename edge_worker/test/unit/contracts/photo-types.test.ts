// The page and the server accept exactly the photos of docs/contracts/photo-types.json.
import { describe, expect, test } from "vitest";

import contract from "../../../../docs/contracts/photo-types.json";
import { EXTENSIONS, HEAD_BYTES, MEDIA_TYPES, PHOTO_TYPES, VIDEO_BYTES_MAX, VIDEO_EXTENSIONS, VIDEO_SECONDS_MAX, VIDEO_TYPES, framesWanted, photoType, videoType } from "../../../shared/photo-types.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** Every first bytes that the contract allows for a type, with zeros in between. */
function heads(magic: readonly { readonly offset: number; readonly any_of: readonly string[] }[]): string[] {
  return magic.reduce<string[]>((all, { offset, any_of }) => all.flatMap((head) => any_of.map((part) => head.padEnd(offset, "\0") + part)), [""]);
}

const accepted = contract.types.flatMap(({ media_types, magic }) => heads(magic).map((head) => ({ head, type: media_types[0] })));

describe("a photo", () => {
  test.each(accepted)("that begins with $head is $type", ({ head, type }) => {
    expect(head.length).toBeLessThanOrEqual(HEAD_BYTES);
    expect(photoType(bytes(head))).toBe(type);
    expect(photoType(bytes(head.padEnd(64, "x")))).toBe(type);
  });

  test.each(accepted)("that begins with $head is recognised by no fewer bytes", ({ head }) => {
    expect(photoType(bytes(head.slice(0, -1)))).toBeNull();
  });

  test.each(contract.rejected)("is not $name", ({ head }) => {
    expect(photoType(bytes(head))).toBeNull();
  });
});

test("the media types and extensions are those of the contract", () => {
  expect(MEDIA_TYPES).toEqual(contract.types.flatMap(({ media_types }) => media_types));
  expect(EXTENSIONS).toEqual(contract.types.flatMap(({ extensions }) => extensions));
  for (const [index, extension] of Object.values(PHOTO_TYPES).entries()) expect(EXTENSIONS, MEDIA_TYPES[index]).toContain(extension);
});

describe("a clip", () => {
  const clips = heads(contract.video.magic);

  test.each(clips)("begins with %s", (head) => {
    expect(contract.video.media_types).toContain(videoType(bytes(head)));
    expect(videoType(bytes(head.slice(0, -1)))).toBeNull();
    expect(photoType(bytes(head))).toBeNull();
  });

  test("is no photo", () => {
    for (const { head } of accepted) expect(videoType(bytes(head))).toBeNull();
  });

  test("has the types and limits of the contract", () => {
    const { media_types, extensions, bytes_max, seconds_max, frames_per_s, frames_min, frames_max } = contract.video;
    expect(Object.keys(VIDEO_TYPES)).toEqual(media_types);
    expect(VIDEO_EXTENSIONS).toEqual(extensions);
    expect([VIDEO_BYTES_MAX, VIDEO_SECONDS_MAX]).toEqual([bytes_max, seconds_max]);
    expect([framesWanted(1), framesWanted(30), framesWanted(seconds_max)]).toEqual([frames_min, 30 * frames_per_s, frames_max]);
  });
});
