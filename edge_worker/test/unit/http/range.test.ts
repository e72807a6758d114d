// Byte ranges: which headers are understood, and where they lie.
import { expect, test } from "vitest";

import { locate, parseRange } from "../../../src/http/range.ts";

test.each([
  ["bytes=0-3", 10, { first: 0, last: 3 }],
  ["bytes=0-0", 10, { first: 0, last: 0 }],
  ["bytes=7-", 10, { first: 7, last: 9 }],
  ["bytes=5-500", 10, { first: 5, last: 9 }],
  ["bytes=-2", 10, { first: 8, last: 9 }],
  ["bytes=-500", 10, { first: 0, last: 9 }],
  ["bytes= 1 - 2", 10, { first: 1, last: 2 }],
  ["bytes=10-", 10, null],
  ["bytes=-0", 10, null],
  ["bytes=0-", 0, null],
  ["bytes=-5", 0, null],
])("%s of %i bytes is %j", (header, size, place) => {
  const range = parseRange(header);
  expect(range === null ? "not understood" : locate(range, size)).toEqual(place);
});

test.each([undefined, "", "bytes=", "bytes=-", "bytes=3-1", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=1e3-", "bytes=9999999999999999999-"])(
  "%s is left out, so that the whole is sent",
  (header) => {
    expect(parseRange(header)).toBeNull();
  },
);
