// The Worker of a verification: keeps the webhook calls that it gets, for whoever knows its secret.
import { DurableObject } from "cloudflare:workers";

export class Calls extends DurableObject {
  async fetch(request) {
    const calls = (await this.ctx.storage.get("calls")) ?? [];
    if (request.method === "GET") return Response.json(calls);
    calls.push(await request.json());
    await this.ctx.storage.put("calls", calls);
    return new Response(String(calls.length));
  }
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const calls = env.CALLS.get(env.CALLS.idFromName("all"));
    if (pathname === "/version") return Response.json({ text: env.TEXT, secret: env.SECRET !== undefined, late: env.LATE !== undefined });
    if (pathname === `/calls/${env.SECRET}`) return calls.fetch("https://calls/");
    if (pathname !== `/hook/${env.SECRET}`) return new Response("not found", { status: 404 });
    const call = { method: request.method, headers: Object.fromEntries(request.headers), body: await request.text() };
    return calls.fetch("https://calls/", { method: "POST", body: JSON.stringify(call) });
  },
  async scheduled() {},
};
