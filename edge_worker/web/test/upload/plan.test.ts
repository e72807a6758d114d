// What to upload, what a response means, and how long to wait.
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { batches, match, outcome, plan, waitMs, without } from "../../src/upload/plan.ts";

const local = (name: string, bytes = 10) => ({ name, bytes, type: "image/jpeg", sha256: null });
const server = (name: string, uploaded: boolean, bytes = 10) => ({ name, as: `${name}-as`, type: "image/jpeg" as const, bytes, uploaded, thumbnail: false, frames: null });

describe("without", () => {
  it("finds the uploaded photos that lack a thumbnail, where this browser made one", () => {
    const small = new Blob(["jpeg"]);
    const here = [{ ...local("a"), small }, { ...local("b"), small: null }, { ...local("c"), small }, { ...local("d"), small }];
    const there = [server("a", true), server("b", true), { ...server("c", true), thumbnail: true }, server("d", false), server("other", true)];
    expect(without(here, there)).toEqual([{ as: "a-as", small }]);
  });
});

describe("match", () => {
  const declared = [server("a", true), server("b", false), server("c", false)];

  it("tells the missing photos from those of another set", () => {
    const { found, fresh, stillMissing } = match([local("a"), local("b"), local("x")], declared);
    expect([found.map(({ name }) => name), fresh.map(({ name }) => name), stillMissing]).toEqual([["b"], ["x"], 1]);
  });

  it("finds nothing in a folder with the same names and other sizes", () => {
    expect(match([local("b", 11), local("c", 12)], declared)).toMatchObject({ found: [], stillMissing: 2 });
  });

  it("takes every photo of a project without photos as new", () => {
    expect(match([local("a")], [])).toMatchObject({ found: [], stillMissing: 0, fresh: [{ name: "a" }] });
  });
});

describe("plan", () => {
  it("uploads what the server does not have, and nothing twice", () => {
    const { sent, toSend, orphaned } = plan([local("a"), local("b"), local("c")], [server("a", true), server("b", false)]);
    expect(sent.map(({ name }) => name)).toEqual(["a"]);
    expect(toSend.map(({ name }) => name)).toEqual(["b", "c"]);
    expect(orphaned).toEqual([]);
  });

  it("removes what was declared but is no longer among the photos", () => {
    expect(plan([local("a")], [server("a", true), server("gone", false)]).orphaned.map(({ as }) => as)).toEqual(["gone-as"]);
  });

  it("keeps what was uploaded earlier from another set of photos", () => {
    expect(plan([local("a")], [server("earlier", true)]).orphaned).toEqual([]);
  });

  it("treats a different size as a different photo", () => {
    expect(plan([local("a", 11)], [server("a", true, 10)]).toSend).toHaveLength(1);
  });

  it("neither loses nor duplicates a photo, whatever the server has", () => {
    const name = fc.constantFrom("a", "b", "c", "d", "e");
    fc.assert(
      fc.property(fc.uniqueArray(name), fc.array(fc.tuple(name, fc.boolean())), (here, there) => {
        const { sent, toSend } = plan(here.map((n) => local(n)), there.map(([n, uploaded]) => server(n, uploaded)));
        expect([...sent, ...toSend].map(({ name: n }) => n).toSorted()).toEqual(here.toSorted());
      }),
    );
  });
});

describe("batches", () => {
  it.each([
    [0, []],
    [1, [1]],
    [50, [50]],
    [51, [50, 1]],
    [120, [50, 50, 20]],
  ])("splits %d photos into %j", (n, sizes) => {
    expect(batches(Array.from({ length: n })).map(({ length }) => length)).toEqual(sizes);
  });
});

describe("the status of a PUT", () => {
  it.each([
    [200, "sent"],
    [204, "sent"],
    [412, "sent"],
    [403, "expired"],
    [400, "expired"],
    [0, "retry"],
    [408, "retry"],
    [429, "retry"],
    [500, "retry"],
    [503, "retry"],
    [413, "rejected"],
    [404, "rejected"],
  ])("%d means %s", (status, kind) => expect(outcome(status).kind).toBe(kind));
});

describe("the wait before a repeat", () => {
  it("doubles, stays within its bounds, and has jitter", () => {
    expect([1, 2, 3, 4, 5, 6].map((n) => waitMs(n, 0))).toEqual([500, 1000, 2000, 4000, 8000, 10_000]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (n, random) => {
        const ms = waitMs(n, random);
        expect(ms).toBeGreaterThanOrEqual(500);
        expect(ms).toBeLessThanOrEqual(20_000);
      }),
    );
  });
});
