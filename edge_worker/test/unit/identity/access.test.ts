// Cloudflare Access's assertions: genuine, for us, and now, or nobody.
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { toBase64Url } from "../../../src/crypto.ts";
import { readAssertion } from "../../../src/identity/access.ts";

const NOW = 1_800_000_000_000;
const AUD = "audience-tag";
let counter = 0;

interface Signer {
  readonly team: string;
  readonly fetched: () => number;
  readonly fetch: typeof fetch;
  readonly sign: (claims: object, head?: object) => Promise<string>;
}

/** A team of its own per test, since keys are remembered by team. */
async function team(): Promise<Signer> {
  counter += 1;
  const address = `https://team-${counter}.cloudflareaccess.com`;
  const algorithm = { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" };
  const pair = (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair;
  const jwk = await crypto.subtle.exportKey("jwk", pair.publicKey);
  let fetched = 0;
  const text = (value: object): string => toBase64Url(new TextEncoder().encode(JSON.stringify(value)));
  return {
    team: address,
    fetched: () => fetched,
    fetch: async () => {
      fetched += 1;
      return Response.json({ keys: [{ ...jwk, kid: "k1" }], public_certs: [] });
    },
    sign: async (claims, head = { alg: "RS256", kid: "k1" }) => {
      const body = `${text(head)}.${text(claims)}`;
      const signature = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", pair.privateKey, new TextEncoder().encode(body));
      return `${body}.${toBase64Url(signature)}`;
    },
  };
}

afterEach(() => {
  vi.useRealTimers();
});

let own: Signer;
beforeAll(async () => {
  own = await team();
});

const settings = (signer: Signer): Parameters<typeof readAssertion>[1] => ({ team: signer.team, aud: AUD, operators: [], others: "view" });
const good = (signer: Signer): Record<string, unknown> => ({ iss: signer.team, aud: [AUD], exp: NOW / 1000 + 60, nbf: NOW / 1000 - 60, email: "Ada@Example.org" });

describe("an assertion", () => {
  test("names the person in lower case", async () => {
    expect(await readAssertion(await own.sign(good(own)), settings(own), NOW, own.fetch)).toBe("ada@example.org");
  });

  test("of a service token names the service", async () => {
    const { email: _email, ...rest } = good(own);
    expect(await readAssertion(await own.sign({ ...rest, common_name: "ci.access" }), settings(own), NOW, own.fetch)).toBe("ci.access");
  });

  test.each([
    ["another application", { aud: ["another"] }],
    ["another issuer", { iss: "https://evil.cloudflareaccess.com" }],
    ["yesterday", { exp: NOW / 1000 - 31 }],
    ["tomorrow", { nbf: NOW / 1000 + 31 }],
    ["nobody", { email: "" }],
    ["ever", { exp: undefined }],
  ])("for %s is rejected", async (_what, change) => {
    expect(await readAssertion(await own.sign({ ...good(own), ...change }), settings(own), NOW, own.fetch)).toBeNull();
  });

  test("signed with another team's key is rejected", async () => {
    const other = await team();
    expect(await readAssertion(await other.sign(good(own)), settings(own), NOW, own.fetch)).toBeNull();
  });

  test.each([
    ["no algorithm", { alg: "none", kid: "k1" }],
    ["a shared-key algorithm", { alg: "HS256", kid: "k1" }],
    ["an unknown key", { alg: "RS256", kid: "k9" }],
  ])("with %s is rejected", async (_what, head) => {
    expect(await readAssertion(await own.sign(good(own), head), settings(own), NOW, own.fetch)).toBeNull();
  });

  test.each(["", ".", "..", "a.b.c", "a.b.c.d", "é.é.é", "x".repeat(9000)])("that reads %s is rejected", async (text) => {
    expect(await readAssertion(text, settings(own), NOW, own.fetch)).toBeNull();
  });

  test("with a changed claim is rejected", async () => {
    const [head, , signature] = (await own.sign(good(own))).split(".");
    const [, forged] = (await own.sign({ ...good(own), email: "eve@example.org" })).split(".");
    expect(await readAssertion(`${head}.${forged}.${signature}`, settings(own), NOW, own.fetch)).toBeNull();
  });
});

test("keys are fetched once an hour, and for an unknown id once a minute at most", async () => {
  const signer = await team();
  const assertion = await signer.sign({ ...good(signer), exp: NOW });
  const unknown = await signer.sign(good(signer), { alg: "RS256", kid: "chosen-by-the-caller" });
  const read = (text: string, at: number): Promise<string | null> => {
    vi.setSystemTime(at);
    return readAssertion(text, settings(signer), at, signer.fetch);
  };
  await read(assertion, NOW);
  await read(assertion, NOW + 1000);
  for (let index = 0; index < 5; index += 1) await read(unknown, NOW + 2000);
  expect(signer.fetched()).toBe(1);
  await read(unknown, NOW + 61_000);
  expect(signer.fetched()).toBe(2);
  await read(assertion, NOW + 30 * 60_000);
  expect(signer.fetched()).toBe(2);
  await read(assertion, NOW + 2 * 3_600_000);
  expect(signer.fetched()).toBe(3);
});

test("keys that cannot be fetched are an error, not a rejection", async () => {
  const signer = await team();
  const assertion = await signer.sign(good(signer));
  await expect(readAssertion(assertion, settings(signer), NOW, async () => new Response(null, { status: 500 }))).rejects.toThrow("500");
});
