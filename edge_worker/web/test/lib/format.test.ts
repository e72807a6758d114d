// How numbers are written: one table per function.
import { describe, expect, it } from "vitest";

import { about, ago, bytes, count, day, duration, length, plural, usd } from "../../src/lib/format.ts";

describe("count", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [1000, "1 000"],
    [12_044, "12 044"],
    [1_234_567.4, "1 234 567"],
  ])("writes %d as %s", (n, words) => expect(count(n)).toBe(words));
});

describe("plural", () => {
  it("uses the singular only for one", () => {
    expect(plural(1, "photo")).toBe("1 photo");
    expect(plural(0, "photo")).toBe("0 photos");
    expect(plural(2, "copy", "copies")).toBe("2 copies");
  });
});

describe("length", () => {
  it.each([
    [12.31, "12 m"],
    [9.96, "10 m"],
    [1.31, "1.3 m"],
    [0.997, "1.0 m"],
    [0.45, "45 cm"],
    [0.004, "4.0 mm"],
  ])("writes %d m as %s", (metres, words) => expect(length(metres)).toBe(words));
});

describe("bytes", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1 kB"],
    [211_000, "211 kB"],
    [999_499, "999 kB"],
    [999_500, "1.0 MB"],
    [38_211_002, "38.2 MB"],
    [250_000_000, "250 MB"],
    [3_200_000_000, "3.2 GB"],
    [5e15, "5000 TB"],
  ])("writes %d as %s", (n, words) => expect(bytes(n)).toBe(words));
});

describe("duration", () => {
  it.each([
    [0.84, "0.8 s"],
    [9.94, "9.9 s"],
    [21.4, "21 s"],
    [59.4, "59 s"],
    [59.6, "1 min"],
    [149, "2 min 29 s"],
    [3599.7, "1 h"],
    [4000, "1 h 7 min"],
    [7199, "2 h"],
  ])("writes %d s as %s", (seconds, words) => expect(duration(seconds)).toBe(words));
});

describe("about", () => {
  it.each([
    [0, "under a minute"],
    [44, "under a minute"],
    [45, "about 1 min"],
    [71, "about 1 min"],
    [100, "about 2 min"],
    [3500, "about 58 min"],
    [3590, "about 1 h"],
    [5400, "about 1.5 h"],
  ])("writes %d s as %s", (seconds, words) => expect(about(seconds)).toBe(words));
});

describe("usd", () => {
  it.each([
    [0, "$0.00"],
    [0.0001, "under $0.001"],
    [0.0462, "$0.046"],
    [0.0999, "$0.100"],
    [0.114, "$0.11"],
    [3.2, "$3.20"],
  ])("writes %d as %s", (value, words) => expect(usd(value)).toBe(words));
});

describe("day and ago", () => {
  const now = Date.parse("2026-11-23T17:00:00Z");

  it("formats dates and leaves other text unchanged", () => {
    expect(day("2026-11-23")).toBe("23 Nov 2026");
    expect(day("soon")).toBe("soon");
  });

  it.each([
    ["2026-11-23T16:59:30Z", "just now"],
    ["2026-11-23T16:55:00Z", "5 min ago"],
    ["2026-11-23T14:00:00Z", "3 h ago"],
    ["2026-11-20T12:00:00Z", "20 Nov 2026"],
    ["never", ""],
  ])("writes %s as %s", (iso, words) => expect(ago(iso, now)).toBe(words));
});
