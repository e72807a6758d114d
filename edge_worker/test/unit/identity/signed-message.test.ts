// Standard Webhooks signatures.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { rejectionOf } from "../../../src/identity/signed-message.ts";

describe("a signed message", () => {
  // The example of the Standard Webhooks specification, made with its own secret and message.
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const body = '{"test": 2432232314}';
  const headers = (change: Record<string, string> = {}): Record<string, string> => ({
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ...change,
  });
  const at = 1_614_265_330_000;

  beforeEach(() => {
    vi.setSystemTime(at);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("of the specification is genuine", () => {
    expect(rejectionOf(secret, headers(), body)).toBeNull();
  });

  test("is genuine if one of several signatures is", () => {
    const several = `v1a,xyz v1,${"A".repeat(43)}= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=`;
    expect(rejectionOf(secret, headers({ "webhook-signature": several }), body)).toBeNull();
  });

  test.each([
    ["another body", secret, {}, `${body} `, at, "No matching signature found"],
    ["another id", secret, { "webhook-id": "msg_x" }, body, at, "No matching signature found"],
    ["another secret", "whsec_AAAA", {}, body, at, "No matching signature found"],
    ["no secret", "", {}, body, at, "No secret"],
    ["another version", secret, { "webhook-signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" }, body, at, "No matching signature found"],
    ["no signature at all", secret, { "webhook-signature": "v1" }, body, at, "No matching signature found"],
    ["a time that is none", secret, { "webhook-timestamp": "soon" }, body, at, "Invalid Signature Headers"],
    ["a time in another notation", secret, { "webhook-timestamp": "1e9" }, body, at, "Message timestamp too old"],
    ["an empty header", secret, { "webhook-signature": "" }, body, at, "Missing required headers"],
    ["five minutes and a second of age", secret, {}, body, at + 301_000, "Message timestamp too old"],
    ["a date in the future", secret, {}, body, at - 301_000, "Message timestamp too new"],
  ])("with %s is rejected", (_what, key, change, text, now, reason) => {
    vi.setSystemTime(now);
    expect(rejectionOf(key, headers(change), text)).toBe(reason);
  });
});
