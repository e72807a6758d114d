// Settings from bindings: complete, or with the name of what is missing.
import { describe, expect, test } from "vitest";

import type { Limits } from "../../shared/limits.ts";
import { parseSettings } from "../../src/settings.ts";
import { BINDINGS } from "./support/bindings.ts";

const LIMITS = JSON.parse(BINDINGS["LIMITS"] ?? "") as Limits;

describe("settings", () => {
  test("are read, without the slashes at the ends of addresses", () => {
    const result = parseSettings(BINDINGS);
    expect(result).toMatchObject({ ok: true, settings: { workerUrl: "http://127.0.0.1:8787", limits: LIMITS, access: null } });
  });

  /** Absent where the feature is off. */
  const OPTIONAL = ["PUSH_KEY"];
  test.each(Object.keys(BINDINGS).filter((name) => !OPTIONAL.includes(name)))("without %s report its name", (name) => {
    const { [name]: _left, ...rest } = BINDINGS;
    expect(parseSettings(rest)).toEqual({ ok: false, problems: [`${name} is not set`] });
  });

  test.each([
    ["PRICE", "{", /^PRICE is not valid: Invalid input/],
    ["CARD", '{"name":"A","memory_gb":16}', /^CARD is not valid: photos_max/],
    ["HOOK_KEYS", "[]", /^HOOK_KEYS is not valid: Too small/],
    ["HOOK_KEYS", JSON.stringify(Array(3).fill(`${"A".repeat(43)}=`)), /^HOOK_KEYS is not valid: Too big/],
    ["API_TOKENS", '[{"name":"x","sha256":"abc","scopes":["operate"]}]', /^API_TOKENS is not valid: 0\.sha256/],
    ["API_TOKENS", `[{"name":"x","sha256":"${"0".repeat(64)}","scopes":["root"]}]`, /^API_TOKENS is not valid: 0\.scopes\.0/],
    ["PUSH_KEY", "short", /^PUSH_KEY is not 32 bytes in base64$/],
    ["WORKER_URL", "javascript:alert(1)", /^WORKER_URL is not an http\(s\) address$/],
    ["ACCESS", '{"team":"https://t.example/path","aud":"a","operators":[],"others":null}', /^ACCESS is not valid: team: an address without a path$/],
  ])("with a bad %s report it without its value", (name, value, problem) => {
    const result = parseSettings({ ...BINDINGS, [name]: value });
    expect(result.ok ? [] : result.problems).toEqual([expect.stringMatching(problem)]);
  });

  test("limit no job by memory where the card is unknown", () => {
    for (const bindings of [BINDINGS, { ...BINDINGS, CARD: "null" }]) expect(parseSettings(bindings)).toMatchObject({ ok: true, settings: { card: null } });
  });

  test("are complete with Cloudflare Access alone", () => {
    const access = JSON.stringify({ team: "https://t.cloudflareaccess.com", aud: "a", operators: ["a@b.c"], others: "view" });
    expect(parseSettings({ ...BINDINGS, API_TOKENS: "[]", ACCESS: access }).ok).toBe(true);
    expect(parseSettings({ ...BINDINGS, API_TOKENS: "[]" }).ok).toBe(false);
  });
});
