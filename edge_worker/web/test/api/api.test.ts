// A failed call becomes an error with a message and a next step, whatever answered.
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
  it("keeps the service's message, hint and wait", async () => {
    const error = await failure(() => refusal(429, { code: "TOO_MANY_REQUESTS", message: "Your daily upload limit is used up.", hint: "Wait." }, { "retry-after": "43200" }));
    expect(error).toMatchObject({ status: 429, code: "TOO_MANY_REQUESTS", message: "Your daily upload limit is used up.", hint: "Wait.", retryAfterS: 43_200 });
  });

  it.each([
    ["a proxy's error page", () => new Response("<h1>Bad gateway</h1>", { status: 502 })],
    ["another service's error format", () => Response.json({ errors: ["no"] }, { status: 500 })],
    ["an empty body", () => new Response(null, { status: 503 })],
  ])("with %s still has a message and a next step", async (_what, answer) => {
    const error = await failure(answer);
    expect(error.message).toMatch(/^The service returned an unexpected response \(5\d\d\)\.$/);
    expect(error.hint).toMatch(/^Try again/);
  });

  it("that is redirected to a sign-in page means that the session has ended", async () => {
    const error = await failure(() => Object.defineProperty(Response.error(), "type", { value: "opaqueredirect" }));
    expect(error).toMatchObject({ status: 401, hint: "Reload the page to sign in again." });
  });

  it("with a response of another version asks for a reload", async () => {
    expect(await failure(() => Response.json({ limits: {} }))).toMatchObject({ code: "BAD_ANSWER", hint: expect.stringContaining("Reload") });
  });

  it("without a connection is reported as offline", async () => {
    const error = await failure(() => {
      throw new TypeError("Failed to fetch");
    });
    expect(error).toMatchObject({ status: 0, code: "OFFLINE" });
  });
});

describe("worthRepeating", () => {
  it.each([
    [429, 10, true],
    [429, null, true],
    [429, 43_200, false],
    [503, null, true],
    [402, null, false],
    [409, null, false],
  ])("after %i with Retry-After %j s is %j", (status, wait, repeats) => expect(worthRepeating(status, wait)).toBe(repeats));
});
