// The small pure rules, a row each: settings, photos, money, capabilities, signatures, schedule, addresses.
import { describe, expect, test } from "vitest";

import type { Limits } from "../../shared/limits.ts";
import { estimate, type Sample } from "../../src/account/estimate.ts";
import { checkQuota, startOfDay, startOfMonth, startOfNextMonth } from "../../src/account/quota.ts";
import { derivedId, equalSecrets, hmac, toBase64, toHex } from "../../src/crypto.ts";
import { ApiError } from "../../src/errors.ts";
import { networkOf } from "../../src/http/mount.ts";
import { issue, verify, type Grant } from "../../src/identity/capability.ts";
import { verifySignedMessage } from "../../src/identity/signed-message.ts";
import { NEW_JOB, type Job } from "../../src/project/job-state.ts";
import { PhotoDeclarationSchema, planUploads, type Photo } from "../../src/project/photos.ts";
import { nextAlarm } from "../../src/project/schedule.ts";
import { parseSettings } from "../../src/settings.ts";
import { BINDINGS } from "./bindings.ts";

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);
const LIMITS: Limits = { ...(JSON.parse(BINDINGS["LIMITS"] ?? "") as Limits) };
const PRICE = { gpu: "RTX 4090", usd_per_s: 0.001, as_of: "2026-11-23", source: "test" };

describe("settings", () => {
  test("are read, and slashes at the ends of addresses are dropped", () => {
    const result = parseSettings(BINDINGS);
    expect(result).toMatchObject({ ok: true, settings: { workerUrl: "http://127.0.0.1:8787", limits: LIMITS, access: null } });
  });

  test.each(Object.keys(BINDINGS))("without %s name it", (name) => {
    const { [name]: _left, ...rest } = BINDINGS;
    expect(parseSettings(rest)).toEqual({ ok: false, problems: [`${name} is not set`] });
  });

  test.each([
    ["PRICE", "{", /^PRICE is not valid: Invalid input/],
    ["HOOK_KEYS", "[]", /^HOOK_KEYS is not valid: Too small/],
    ["HOOK_KEYS", JSON.stringify(Array(3).fill(`${"A".repeat(43)}=`)), /^HOOK_KEYS is not valid: Too big/],
    ["API_TOKENS", '[{"name":"x","sha256":"abc","scopes":["operate"]}]', /^API_TOKENS is not valid: 0\.sha256/],
    ["API_TOKENS", `[{"name":"x","sha256":"${"0".repeat(64)}","scopes":["root"]}]`, /^API_TOKENS is not valid: 0\.scopes\.0/],
    ["WORKER_URL", "javascript:alert(1)", /^WORKER_URL is not an http\(s\) address$/],
    ["ACCESS", '{"team":"https://t.example/path","aud":"a","operators":[],"others":null}', /^ACCESS is not valid: team: an address without a path$/],
  ])("with a bad %s say so without its value", (name, value, problem) => {
    const result = parseSettings({ ...BINDINGS, [name]: value });
    expect(result.ok ? [] : result.problems).toEqual([expect.stringMatching(problem)]);
  });

  test("are complete with Cloudflare Access alone", () => {
    const access = JSON.stringify({ team: "https://t.cloudflareaccess.com", aud: "a", operators: ["a@b.c"], others: "view" });
    expect(parseSettings({ ...BINDINGS, API_TOKENS: "[]", ACCESS: access }).ok).toBe(true);
    expect(parseSettings({ ...BINDINGS, API_TOKENS: "[]" }).ok).toBe(false);
  });
});

describe("photos", () => {
  const photo = (as: string, change: Partial<Photo> = {}): Photo => ({ as, name: "a.jpg", type: "image/jpeg", bytes: 100, sha256: null, uploaded: false, ...change });
  const declared = { name: "a.jpg", type: "image/jpeg", bytes: 100 } as const;

  test("get names by number and type, never by their own", () => {
    const plan = planUploads([declared, { name: "../../etc/passwd", type: "image/heic", bytes: 1 }], [], 7, LIMITS);
    expect(plan.photos.map(({ as }) => as)).toEqual(["0007.jpg", "0008.heic"]);
    expect(plan.nextNumber).toBe(9);
  });

  test("declared again keep their name only while they have not arrived", () => {
    expect(planUploads([declared], [photo("0001.jpg")], 2, LIMITS)).toMatchObject({ photos: [{ as: "0001.jpg" }], added: [], nextNumber: 2 });
    expect(planUploads([declared], [photo("0001.jpg", { uploaded: true })], 2, LIMITS).photos[0]?.as).toBe("0002.jpg");
    expect(planUploads([declared], [photo("0001.jpg", { bytes: 99 })], 2, LIMITS).photos[0]?.as).toBe("0002.jpg");
    expect(planUploads([declared, declared], [photo("0001.jpg")], 2, LIMITS).photos.map(({ as }) => as)).toEqual(["0001.jpg", "0002.jpg"]);
  });

  test.each([
    { what: "one byte over", given: [{ ...declared, bytes: 1001 }], code: "TOO_LARGE" },
    { what: "one photo over", given: Array(11).fill(declared), code: "CONFLICT" },
    { what: "one byte over in all", given: [...Array(5).fill({ ...declared, bytes: 1000 }), { ...declared, bytes: 1 }], code: "TOO_LARGE" },
  ])("$what are refused with $code and the numbers", ({ given, code }) => {
    expect(() => planUploads(given, [], 1, LIMITS)).toThrow(ApiError);
    try {
      planUploads(given, [], 1, LIMITS);
    } catch (error) {
      expect(error).toMatchObject({ code, message: expect.stringMatching(/\d+.* allowed \d+/) });
    }
  });

  test("at the limits are taken", () => {
    expect(planUploads(Array(5).fill({ ...declared, bytes: 1000 }), [], 1, LIMITS).added).toHaveLength(5);
    expect(planUploads(Array(10).fill({ ...declared, bytes: 1 }), [], 1, LIMITS).added).toHaveLength(10);
  });

  test.each([
    { ...declared, type: "text/html" },
    { ...declared, bytes: 0 },
    { ...declared, bytes: 1.5 },
    { ...declared, bytes: -1 },
    { ...declared, name: "" },
    { ...declared, name: "a\nb" },
    { ...declared, name: "x".repeat(256) },
    { ...declared, sha256: "abc" },
    { ...declared, key: "projects/other" },
  ])("declared as %j are refused", (given) => {
    expect(PhotoDeclarationSchema.safeParse(given).success).toBe(false);
  });
});

describe("money", () => {
  test("is estimated by a guess, then by what jobs here have taken", () => {
    expect(estimate("preview", 20, [], PRICE)).toMatchObject({ seconds: 90, usd: 0.09, basis: "A first guess: no job of this preset has run here yet." });
    const samples: Sample[] = [
      { preset: "preview", photos: 20, seconds: 180 },
      { preset: "preview", photos: 100, seconds: 420 },
      { preset: "preview", photos: 20, seconds: 9000 },
      { preset: "high", photos: 20, seconds: 1 },
    ];
    expect(estimate("preview", 20, samples, PRICE)).toMatchObject({ seconds: 180, basis: "The median of the last 3 jobs of this preset here." });
    expect(estimate("preview", 20, samples.slice(0, 2), PRICE).seconds).toBe(180);
  });

  test("is refused with the numbers and until when", () => {
    const usage = { jobsToday: 0, jobsNow: 0, usdThisMonth: 0 };
    expect(checkQuota(usage, LIMITS, 10, NOW)).toBeNull();
    expect(checkQuota({ ...usage, usdThisMonth: 9.5 }, LIMITS, 0.6, NOW)).toMatchObject({
      code: "BUDGET_EXCEEDED",
      message: "The job is estimated at 0.6 USD; 0.5 of 10 USD are left until 2026-12-01T00:00:00Z.",
    });
    expect(checkQuota({ ...usage, jobsToday: 3 }, LIMITS, 0, NOW)).toMatchObject({ code: "TOO_MANY_REQUESTS", headers: { "retry-after": "43200" } });
    expect(checkQuota({ ...usage, jobsNow: 2 }, LIMITS, 0, NOW)).toMatchObject({ code: "TOO_MANY_REQUESTS", headers: { "retry-after": "60" } });
  });

  test("is counted by UTC days and months", () => {
    expect(new Date(startOfDay(NOW)).toISOString()).toBe("2026-11-23T00:00:00.000Z");
    expect(new Date(startOfMonth(NOW)).toISOString()).toBe("2026-11-01T00:00:00.000Z");
    expect(new Date(startOfNextMonth(Date.UTC(2026, 11, 31, 23))).toISOString()).toBe("2027-01-01T00:00:00.000Z");
  });
});

describe("a capability", () => {
  const [first, second, third] = ["A", "B", "C"].map((letter) => toBase64(new TextEncoder().encode(letter.repeat(32))));
  const grant: Grant = { projectId: "p_0123456789abcdef", attempt: 3, nonce: "n".repeat(22), expiresAt: NOW + 1000 };

  test("opens what it was made for, until it expires", async () => {
    const text = await issue("hook-runpod", grant, [first ?? ""]);
    expect(await verify("hook-runpod", text, [first ?? ""], NOW)).toEqual({ ok: true, grant });
    expect(await verify("hook-progress", text, [first ?? ""], NOW)).toEqual({ ok: false, reason: "forged" });
    expect(await verify("hook-runpod", text, [first ?? ""], NOW + 1000)).toEqual({ ok: false, reason: "expired" });
  });

  test("outlives one rotation of keys and not two", async () => {
    const text = await issue("hook-runpod", grant, [first ?? ""]);
    expect((await verify("hook-runpod", text, [second ?? "", first ?? ""], NOW)).ok).toBe(true);
    expect((await verify("hook-runpod", text, [third ?? "", second ?? ""], NOW)).ok).toBe(false);
  });

  test("with any letter changed opens nothing", async () => {
    const text = await issue("hook-runpod", grant, [first ?? ""]);
    for (let at = 0; at < text.length; at += 1) {
      const changed = `${text.slice(0, at)}${text[at] === "1" ? "2" : "1"}${text.slice(at + 1)}`;
      expect([at, (await verify("hook-runpod", changed, [first ?? ""], NOW)).ok]).toEqual([at, false]);
    }
  });
});

describe("a signed message", () => {
  // The example of the Standard Webhooks specification, made with its own secret and message.
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const body = '{"test": 2432232314}';
  const headers = (change: Record<string, string> = {}): Headers =>
    new Headers({ "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330", "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", ...change });
  const at = 1_614_265_330_000;

  test("of the specification is genuine", async () => {
    expect(await verifySignedMessage(secret, headers(), body, at)).toBe("ok");
  });

  test("is genuine if one of several signatures is", async () => {
    const several = `v1a,xyz v1,${"A".repeat(43)}= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=`;
    expect(await verifySignedMessage(secret, headers({ "webhook-signature": several }), body, at)).toBe("ok");
  });

  test.each([
    ["another body", secret, {}, `${body} `, at, "forged"],
    ["another id", secret, { "webhook-id": "msg_x" }, body, at, "forged"],
    ["another secret", "whsec_AAAA", {}, body, at, "forged"],
    ["no secret", "", {}, body, at, "forged"],
    ["another version", secret, { "webhook-signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" }, body, at, "forged"],
    ["a time that is none", secret, { "webhook-timestamp": "1e9" }, body, at, "missing"],
    ["no signature", secret, { "webhook-signature": "" }, body, at, "missing"],
    ["five minutes and a second of age", secret, {}, body, at + 301_000, "stale"],
    ["a date in the future", secret, {}, body, at - 301_000, "stale"],
  ])("with %s is %s", async (_what, key, change, text, now, verdict) => {
    expect(await verifySignedMessage(key, headers(change), text, now)).toBe(verdict);
  });
});

describe("the next alarm", () => {
  const queued: Job = { ...NEW_JOB, state: "queued", attempt: 1, runpodId: "r", submittedAt: NOW, deadlineAt: NOW + 7_200_000 };
  const none = { askedAt: 0, hurry: false };

  test.each([
    ["nothing under way", NEW_JOB, none, null],
    ["just queued", queued, { askedAt: NOW, hurry: false }, 5_000],
    ["queued for five minutes", { ...queued, submittedAt: NOW - 300_000 }, { askedAt: NOW, hurry: false }, 15_000],
    ["queued for an hour", { ...queued, submittedAt: NOW - 3_600_000 }, { askedAt: NOW, hurry: false }, 60_000],
    ["running and talking", { ...queued, state: "running" as const, heardAt: NOW - 1000 }, { askedAt: NOW, hurry: false }, 30_000],
    ["running in silence", { ...queued, state: "running" as const, heardAt: NOW - 60_000 }, { askedAt: NOW, hurry: false }, 15_000],
    ["a hook that could not be followed up", queued, { askedAt: NOW, hurry: true }, 2_000],
    ["a deadline before the next question", { ...queued, deadlineAt: NOW + 1_000 }, { askedAt: NOW, hurry: false }, 1_000],
    ["a deadline in the past", { ...queued, deadlineAt: NOW - 1_000 }, { askedAt: NOW, hurry: false }, 0],
    ["a cancel to repeat", { ...NEW_JOB, state: "cancelled" as const, toCancel: ["r"] }, none, 10_000],
  ])("with %s is right", (_what, job, more, inMs) => {
    expect(nextAlarm(job, NOW, more)).toBe(inMs === null ? null : NOW + inMs);
  });
});

test.each([
  ["203.0.113.9", "203.0.113.9"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["2001:0DB8:0001:0002::1", "2001:db8:1:2"],
  ["2001:db8::1", "2001:db8:0:0"],
  ["::1", "0:0:0:0"],
  ["", ""],
])("the network of %s is %s", (address, network) => {
  expect(networkOf(address)).toBe(network);
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
