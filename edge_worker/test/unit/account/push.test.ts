// Messages to browsers: the encryption against RFC 8291's own example, and who gets which message, when and how often.
import { env, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";

import { PAUSES_MS, PushBook, type Waiting } from "../../../src/account/push/book.ts";
import { News } from "../../../src/account/push/news.ts";
import { encrypt, isPoint, pushKeyOf } from "../../../src/clients/web-push.ts";
import { fromBase64Url, toBase64Url } from "../../../src/crypto.ts";

/** RFC 8291, section 5 and appendix A. */
const EXAMPLE = {
  plain: "When I grow up, I want to be a watermelon",
  auth: "BTBZMqHH6r4Tts7J_aSIgg",
  p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
  ours: { d: "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw", x: "_jP0qw3qcZFNtVgj9zztUlKx77zWT0pWdgZu0K-GeWU", y: "" },
  publicKey: "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
  salt: "DGv6ra1nlYgDCS1FRnbzlw",
  body: "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
};

const bytes = (text: string): Uint8Array<ArrayBuffer> => fromBase64Url(text) ?? new Uint8Array();

describe("the encryption", () => {
  test("makes the message of RFC 8291's example, byte for byte", async () => {
    const point = bytes(EXAMPLE.publicKey);
    const jwk = { kty: "EC", crv: "P-256", d: EXAMPLE.ours.d, x: toBase64Url(point.subarray(1, 33)), y: toBase64Url(point.subarray(33)) };
    const curve = { name: "ECDH", namedCurve: "P-256" };
    const privateKey = await crypto.subtle.importKey("jwk", jwk, curve, true, ["deriveBits"]);
    const publicKey = await crypto.subtle.importKey("raw", point, curve, true, []);
    const body = await encrypt(new TextEncoder().encode(EXAMPLE.plain), EXAMPLE, { salt: bytes(EXAMPLE.salt), keys: { privateKey, publicKey } as CryptoKeyPair });
    expect(toBase64Url(body)).toBe(EXAMPLE.body);
  });

  test("is another one for each message", async () => {
    const [one, two] = await Promise.all([encrypt(new Uint8Array(1), EXAMPLE), encrypt(new Uint8Array(1), EXAMPLE)]);
    expect(toBase64Url(one ?? new Uint8Array())).not.toBe(toBase64Url(two ?? new Uint8Array()));
  });

  test("is refused for a key that is no point of the curve", async () => {
    expect(await isPoint(EXAMPLE.p256dh)).toBe(true);
    expect(await isPoint(`B${"A".repeat(86)}`)).toBe(false);
  });
});

test("the stack's key is a point of the curve, whatever its secret, and always the same", async () => {
  for (const fill of [0x01, 0x7f, 0xff]) {
    const secret = btoa(String.fromCharCode(...new Uint8Array(32).fill(fill)));
    const { publicKey } = await pushKeyOf(secret);
    expect(await isPoint(publicKey)).toBe(true);
    expect((await pushKeyOf(secret)).publicKey).toBe(publicKey);
  }
});

const within = <R>(name: string, work: (sql: SqlStorage) => R | Promise<R>): Promise<R> => runInDurableObject(env.INDEX.get(env.INDEX.idFromName(name)), (_index, { storage }) => work(storage.sql));
const browser = (n: number) => ({ endpoint: `https://push.example.org/${n}`, p256dh: EXAMPLE.p256dh, auth: EXAMPLE.auth });

describe("the book", () => {
  test("has a message once the job has ended, for each browser once", () =>
    within("push-once", (sql) => {
      const book = new PushBook(sql);
      book.add("p_1", browser(1));
      book.add("p_1", browser(1));
      book.add("p_2", browser(1));
      expect([book.due(9e15, 10), book.nextDue()]).toEqual([[], null]);
      expect([book.announce("p_1", "ready", 5), book.announce("p_1", "again", 6), book.announce("p_3", "ready", 5)]).toEqual([true, false, false]);
      expect(book.due(5, 10)).toMatchObject([{ project: "p_1", endpoint: browser(1).endpoint, message: "ready" }]);
      expect(book.nextDue()).toBe(5);
      book.forget("p_1");
      expect(book.nextDue()).toBeNull();
    }));

  test("keeps the newest twenty browsers of a project", () =>
    within("push-bounded", (sql) => {
      const book = new PushBook(sql);
      for (let n = 0; n < 30; n += 1) book.add("p_1", browser(n));
      book.announce("p_1", "ready", 1);
      expect(book.due(1, 100).map(({ endpoint }) => Number(endpoint.split("/").at(-1)))).toEqual(Array.from({ length: 20 }, (_, n) => n + 10));
    }));

  test("waits longer after each try, as long as the service asks, and gives up", () =>
    within("push-pauses", (sql) => {
      const book = new PushBook(sql);
      book.add("p_1", browser(1));
      book.announce("p_1", "ready", 0);
      const fail = (retryAfterMs = 0): number | null => {
        book.postpone(book.due(9e15, 1)[0] as Waiting, 0, retryAfterMs);
        return book.nextDue();
      };
      expect([fail(120_000), ...PAUSES_MS.slice(1).map(() => fail()), fail()]).toEqual([120_000, ...PAUSES_MS.slice(1), null]);
    }));
});

describe("the news", () => {
  afterEach(() => void vi.restoreAllMocks());
  const to = { pushKey: btoa(String.fromCharCode(...new Uint8Array(32).fill(7))), workerUrl: "https://splat.example.org" };
  const ended = { id: "p_1", name: "Kettle", state: "done" as const, error: null, attempt: 1, shown: 1, editing: null };

  test("end with the message, stay while the service is down, and end for every project with the subscription", () =>
    within("push-news", async (sql) => {
      const asked: string[] = [];
      let status = 503;
      vi.spyOn(globalThis, "fetch").mockImplementation(async (url, init) => {
        asked.push(String(url));
        expect((init?.headers as Record<string, string>)["authorization"]).toMatch(/^vapid t=[\w.-]+, k=B[\w-]{86}$/);
        return new Response(null, { status });
      });
      const news = new News(sql);
      news.watch("p_1", browser(1));
      news.watch("p_2", browser(1));
      expect([news.ended(ended, 0), news.ended({ ...ended, id: "p_9" }, 0)]).toEqual([true, false]);
      await news.deliver(to);
      expect(news.nextDue()).toBeGreaterThan(Date.now());
      sql.exec("UPDATE push SET due = 0 WHERE due IS NOT NULL");
      status = 410;
      await news.deliver(to);
      expect(asked).toHaveLength(2);
      expect(sql.exec("SELECT count(*) AS n FROM push").one()["n"]).toBe(0);
    }));

  test("are not sent without a key", () =>
    within("push-no-key", async (sql) => {
      const news = new News(sql);
      news.watch("p_1", browser(1));
      news.ended(ended, 0);
      await news.deliver({ ...to, pushKey: null });
      expect(news.nextDue()).toBe(0);
    }));
});
