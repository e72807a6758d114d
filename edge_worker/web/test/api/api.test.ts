// What a call that fails becomes: a sentence for people and the next step, whoever answered.
import { afterEach, describe, expect, it, vi } from "vitest";

import { api, ApiError } from "../../src/api/api.ts";
import { worthRepeating } from "../../src/upload/plan.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

async function failure(answer: () => Response): Promise<ApiError> {
  vi.stubGlobal("fetch", async () => answer());
  const error: unknown = await api.settings().catch((thrown: unknown) => thrown);
  if (!(error instanceof ApiError)) throw new Error(`no ApiError: ${String(error)}`);
  return error;
}

const refusal = (status: number, error: object, headers: Record<string, string> = {}): Response => Response.json({ error }, { status, headers });

describe("a call that fails", () => {
  it("is told in the service's own words, with how long to wait", async () => {
    const error = await failure(() => refusal(429, { code: "TOO_MANY_REQUESTS", message: "20 bytes are left to you.", hint: "Wait." }, { "retry-after": "43200" }));
    expect(error).toMatchObject({ status: 429, code: "TOO_MANY_REQUESTS", message: "20 bytes are left to you.", hint: "Wait.", retryAfterS: 43_200 });
  });

  it.each([
    ["a page of a proxy", () => new Response("<h1>Bad gateway</h1>", { status: 502 })],
    ["an envelope of somebody else's", () => Response.json({ errors: ["no"] }, { status: 500 })],
    ["nothing", () => new Response(null, { status: 503 })],
  ])("with %s has a sentence and a next step all the same", async (_what, answer) => {
    const error = await failure(answer);
    expect(error.message).toMatch(/^The service did not answer as it should \(5\d\d\)\.$/);
    expect(error.hint).toMatch(/^Try again/);
  });

  it("by being sent to a sign-in page is a session that has ended", async () => {
    const error = await failure(() => Object.defineProperty(Response.error(), "type", { value: "opaqueredirect" }));
    expect(error).toMatchObject({ status: 401, hint: "Reload the page to sign in again." });
  });

  it("with an answer of another version says to reload", async () => {
    expect(await failure(() => Response.json({ limits: {} }))).toMatchObject({ code: "BAD_ANSWER", hint: expect.stringContaining("Reload") });
  });

  it("because nobody is there says so", async () => {
    const error = await failure(() => {
      throw new TypeError("Failed to fetch");
    });
    expect(error).toMatchObject({ status: 0, code: "OFFLINE" });
  });
});

describe("a call that may be repeated", () => {
  it.each([
    [429, 10, true],
    [429, null, true],
    [429, 43_200, false],
    [503, null, true],
    [402, null, false],
    [409, null, false],
  ])("after %i with a wait of %j s: %j", (status, wait, repeats) => expect(worthRepeating(status, wait)).toBe(repeats));
});
