// Capabilities, and the cryptography below them.
import { describe, expect, test } from "vitest";

import { derivedId, equalSecrets, hmac, toBase64, toHex } from "../../../src/crypto.ts";
import { issue, verify, type Grant } from "../../../src/identity/capability.ts";

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);

describe("a capability", () => {
  const [first, second, third] = ["A", "B", "C"].map((letter) => toBase64(new TextEncoder().encode(letter.repeat(32))));
  const grant: Grant = { projectId: "p_0123456789abcdef", attempt: 3, nonce: "n".repeat(22), expiresAt: NOW + 1000 };

  test("is valid for its own purpose until it expires", async () => {
    const text = await issue("hook-runpod", grant, [first ?? ""]);
    expect(await verify("hook-runpod", text, [first ?? ""], NOW)).toEqual({ ok: true, grant });
    expect(await verify("hook-progress", text, [first ?? ""], NOW)).toEqual({ ok: false, reason: "forged" });
    expect(await verify("hook-runpod", text, [first ?? ""], NOW + 1000)).toEqual({ ok: false, reason: "expired" });
  });

  test("survives one rotation of keys but not two", async () => {
    const text = await issue("hook-runpod", grant, [first ?? ""]);
    expect((await verify("hook-runpod", text, [second ?? "", first ?? ""], NOW)).ok).toBe(true);
    expect((await verify("hook-runpod", text, [third ?? "", second ?? ""], NOW)).ok).toBe(false);
  });

  test("with any letter changed is rejected", async () => {
    const text = await issue("hook-runpod", grant, [first ?? ""]);
    for (let at = 0; at < text.length; at += 1) {
      const changed = `${text.slice(0, at)}${text[at] === "1" ? "2" : "1"}${text.slice(at + 1)}`;
      expect([at, (await verify("hook-runpod", changed, [first ?? ""], NOW)).ok]).toEqual([at, false]);
    }
  });
});

test("names can be derived, and secrets are compared whole", async () => {
  expect(await derivedId("p", 16, "seed")).toMatch(/^p_[0-9a-hjkmnp-tv-z]{16}$/);
  expect(await derivedId("p", 16, "seed")).toBe(await derivedId("p", 16, "seed"));
  expect(await derivedId("p", 16, "seed")).not.toBe(await derivedId("p", 16, "Seed"));
  expect([await equalSecrets("a", "a"), await equalSecrets("a", "ab"), await equalSecrets("", "")]).toEqual([true, false, true]);
  const mac = await hmac(toBase64(new TextEncoder().encode("Jefe")), "what do ya want for nothing?");
  // RFC 4231, test case 2.
  expect(toHex(mac)).toBe("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
});
