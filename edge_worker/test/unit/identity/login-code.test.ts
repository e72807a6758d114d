// Codes of sign-in links: proved by their MAC, in one text only; and what reaches the account's object.
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";

import { fromBase64Url, toBase64, toBase64Url } from "../../../src/crypto.ts";
import { issueSession } from "../../../src/identity/auth.ts";
import { isLoginCode, makeLoginCode } from "../../../src/identity/login-code.ts";
import worker from "../../../src/index.ts";
import type { Env } from "../../../src/env.ts";
import { settingsOf } from "../../../src/settings.ts";

const [first = "", second = "", third = ""] = ["A", "B", "C"].map((letter) => toBase64(new TextEncoder().encode(letter.repeat(32))));
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

describe("base64url", () => {
  test("is read from the one text that is written for the bytes", () => {
    for (const length of [1, 2, 16, 31, 32]) {
      const text = toBase64Url(new Uint8Array(length).fill(0xa5));
      expect(fromBase64Url(text)).toEqual(new Uint8Array(length).fill(0xa5));
      const others = [...LETTERS].filter((letter) => fromBase64Url(text.slice(0, -1) + letter) !== null && !text.endsWith(letter));
      // No other last letter gives the same bytes.
      for (const letter of others) expect(fromBase64Url(text.slice(0, -1) + letter)).not.toEqual(fromBase64Url(text));
    }
    for (const wrong of ["A", "AA==", "A+/A", "AAAAA", "A A", "é"]) expect([wrong, fromBase64Url(wrong)]).toEqual([wrong, null]);
  });
});

describe("a login code", () => {
  test("is known by the key that made it, also after one rotation", async () => {
    const code = await makeLoginCode([first]);
    expect(code).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect([await isLoginCode(code, [first]), await isLoginCode(code, [second, first]), await isLoginCode(code, [third, second])]).toEqual([true, true, false]);
  });

  test("with any letter changed is not one", async () => {
    const code = await makeLoginCode([first]);
    for (let at = 0; at < code.length; at += 1) {
      for (const letter of [...LETTERS].filter((one) => one !== code[at]).slice(0, at === code.length - 1 ? 64 : 2)) {
        expect([at, letter, await isLoginCode(code.slice(0, at) + letter + code.slice(at + 1), [first])]).toEqual([at, letter, false]);
      }
    }
    for (const wrong of ["", "A", "A".repeat(43), "A".repeat(10_000), `${code}A`]) expect(await isLoginCode(wrong, [first])).toBe(false);
  });
});

describe("the sign-in page", () => {
  const open = (code: string, change: Partial<Record<keyof Env, unknown>> = {}): Promise<Response> =>
    Promise.resolve(worker.fetch(new Request(`https://app.example/login/${code}`), { ...env, ...change } as unknown as Env, {} as ExecutionContext));

  test("asks no object about a guessed code", async () => {
    const asked: string[] = [];
    const INDEX = { idFromName: (name: string) => asked.push(name), get: () => ({ takeLoginCode: async () => null }) };
    expect((await open("A".repeat(43), { INDEX })).headers.get("location")).toBe("/?login=expired");
    expect(asked).toEqual([]);
    const made = await makeLoginCode(settingsOf(env as unknown as Env).hookKeys);
    expect((await open(made, { INDEX })).headers.get("location")).toBe("/?login=expired");
    expect(asked).toEqual(["account"]);
  });

  test("is limited by the network that asks", async () => {
    const keys: string[] = [];
    const RATE_LIMIT = { limit: async ({ key }: { key: string }) => (keys.push(key), { success: false }) };
    expect((await open("A".repeat(43), { RATE_LIMIT })).status).toBe(429);
    expect(keys).toEqual(["address:"]);
  });
});

test("a session's cookie is valid in one text only", async () => {
  const settings = settingsOf(env as unknown as Env);
  const [token] = settings.tokens;
  const cookie = await issueSession({ name: "Ada", tokenSha256: token?.sha256 ?? "" }, settings, Date.now());
  const ask = async (text: string): Promise<number> =>
    (await worker.fetch(new Request("https://app.example/api/session", { headers: { cookie: `session=${text}; __Host-session=${text}` } }), env as unknown as Env, {} as ExecutionContext)).status;
  expect(await ask(cookie)).toBe(200);
  for (const letter of [...LETTERS].filter((one) => !cookie.endsWith(one))) expect([letter, await ask(cookie.slice(0, -1) + letter)]).toEqual([letter, 401]);
});
