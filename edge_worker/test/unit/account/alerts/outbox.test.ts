// Reports that wait: in order, repeated with growing pauses, given up at last, bounded, and back after an eviction.
import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, test, vi } from "vitest";

import { TEST_NOTICE, type Notice } from "../../../../src/account/alerts/message.ts";
import { Outbox, PAUSES_MS } from "../../../../src/account/alerts/outbox.ts";
import { Alerts } from "../../../../src/account/alerts/watch.ts";
import { CLOSED } from "../../../../src/account/breaker.ts";

const notice: Notice = { ...TEST_NOTICE, since: 0 };
const stub = (name: string) => env.INDEX.get(env.INDEX.idFromName(name));
const within = <R>(name: string, work: (sql: SqlStorage) => R | Promise<R>): Promise<R> => runInDurableObject(stub(name), (_index, { storage }) => work(storage.sql));

test("reports leave in order, and survive an eviction", async () => {
  await within("order", (sql) => {
    const outbox = new Outbox(sql);
    outbox.add("z", notice, 1);
    outbox.add("a", notice, 2);
  });
  await evictDurableObject(stub("order"));
  await within("order", (sql) => {
    const outbox = new Outbox(sql);
    expect([outbox.next()?.id, outbox.waiting]).toEqual(["z", 2]);
    outbox.remove("z");
    expect(outbox.next()).toMatchObject({ id: "a", at: 2, tries: 0, due: 2, notice });
  });
});

test("each try waits longer, a receiver may ask for more, and the last one gives up", () =>
  within("pauses", (sql) => {
    const outbox = new Outbox(sql);
    outbox.add("a", notice, 0);
    const fail = (retryAfterMs = 0): number | null => {
      const report = outbox.next();
      if (report === null) throw new Error("nothing waits");
      return outbox.postpone(report, 1000, retryAfterMs) ? (outbox.next()?.due ?? 0) - 1000 : null;
    };
    expect(fail(120_000)).toBe(120_000);
    expect(PAUSES_MS.slice(1).map(() => fail())).toEqual(PAUSES_MS.slice(1));
    expect(fail()).toBeNull();
    expect(outbox.next()).toBeNull();
  }));

test("beyond a hundred reports the oldest are dropped", () =>
  within("bounded", (sql) => {
    const outbox = new Outbox(sql);
    for (let id = 0; id < 150; id += 1) outbox.add(String(id), notice, id);
    expect([outbox.waiting, outbox.next()?.id]).toEqual([100, "50"]);
  }));

describe("the account's alerts", () => {
  const to = { alertWebhook: new URL("https://alerts.example.org/in/secret"), hookKeys: [`${"A".repeat(43)}=`, `${"B".repeat(42)}A=`], stack: "prod", workerUrl: "https://splat.example.org" };
  const fine = { breaker: CLOSED, oldestWaitS: 0, failedLately: 0, doneLately: 0, budgetUsd: 50, leftUsd: 50, runpodAnswers: true, webhooksLost: 0 };
  const short = { ...fine, leftUsd: 1 };

  test("without a receiver are shown and not collected for a later one", () =>
    within("nowhere", async (sql) => {
      vi.spyOn(console, "error").mockImplementation(() => undefined);
      const alerts = new Alerts(sql);
      alerts.observe(short, 0, { alertWebhook: null });
      expect(alerts.view()).toMatchObject([{ name: "SplatBudgetNearlySpent", severity: "warn", summary: "$1.00 of the month's budget of $50.00 is left." }]);
      expect([new Outbox(sql).waiting, alerts.receiver({ alertWebhook: null }), await alerts.test({ ...to, alertWebhook: null }, 0)]).toEqual([0, null, null]);
    }));

  test("are signed with both keys of a rotation, and hold later reports back while the receiver is down", () =>
    within("down", async (sql) => {
      vi.spyOn(console, "error").mockImplementation(() => undefined);
      const calls: RequestInit[] = [];
      let answer: () => Response = () => new Response(null, { status: 503, headers: { "retry-after": "30" } });
      vi.spyOn(globalThis, "fetch").mockImplementation(async (_url, init) => (calls.push(init as RequestInit), answer()));
      const alerts = new Alerts(sql);
      alerts.observe(short, 0, to);
      alerts.observe(fine, 1, to);
      await alerts.deliver(to);
      await alerts.deliver(to);
      expect([calls.length, new Outbox(sql).waiting]).toEqual([1, 2]);
      expect(String((calls[0]?.headers as Record<string, string>)["webhook-signature"]).split(" ")).toHaveLength(2);
      expect(new Outbox(sql).next()?.due).toBeGreaterThan(Date.now() + 25_000);
      expect(alerts.receiver(to)).toMatchObject({ host: "alerts.example.org", waiting: 2, last: { ok: false, detail: "alerts.example.org answered 503." } });

      sql.exec("UPDATE alert_report SET due = 0");
      answer = () => {
        throw new TypeError("connection lost");
      };
      await alerts.deliver(to);
      expect(alerts.receiver(to)?.last?.detail).toBe("alerts.example.org did not answer.");

      sql.exec("UPDATE alert_report SET due = 0");
      answer = () => new Response(null, { status: 200 });
      await alerts.deliver(to);
      expect(calls.map(({ body }) => (JSON.parse(String(body)) as { type: string }).type)).toEqual(["alert.raised", "alert.raised", "alert.raised", "alert.cleared"]);
      expect(alerts.receiver(to)).toMatchObject({ waiting: 0, last: { ok: true } });
    }));

  test("that nobody can receive are given up, which the log shows", () =>
    within("given-up", async (sql) => {
      const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
      vi.spyOn(globalThis, "fetch").mockImplementation(async () => new Response(null, { status: 404 }));
      const alerts = new Alerts(sql);
      alerts.observe(short, 0, to);
      for (let round = 0; round <= PAUSES_MS.length; round += 1) {
        sql.exec("UPDATE alert_report SET due = 0");
        await alerts.deliver(to);
      }
      expect(new Outbox(sql).waiting).toBe(0);
      expect(logged).toHaveBeenLastCalledWith("alert SplatBudgetNearlySpent was not delivered: alerts.example.org answered 404.");
      expect(JSON.stringify(logged.mock.calls)).not.toContain("secret");
    }));

  test.each([
    ["nothing is open", fine, null],
    ["an alert is about to be raised", { ...fine, oldestWaitS: 700 }, 60_000],
    ["an alert is open and reported", short, 300_000],
  ])("look again, while %s, in %s", (what, situation, inMs) =>
    within(`next ${what}`, (sql) => {
      vi.spyOn(console, "error").mockImplementation(() => undefined);
      const alerts = new Alerts(sql);
      alerts.observe(situation, 5000, { alertWebhook: null });
      expect(alerts.nextLook(5000)).toBe(inMs === null ? null : 5000 + inMs);
    }));
});
