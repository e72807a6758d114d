// The public port: forwards to workerd, keeps requests waiting while workerd changes, hides its maintenance paths.
// Buffers no body; removes headers that only the platform can set.
import { createHash } from "node:crypto";
import { Agent, createServer, request as httpRequest } from "node:http";

import { PATH as STRIKE_PREFIX } from "./binding-faults.mjs";
import { Patience, askWithoutBody, refusedUnread, sendBody } from "./body.mjs";
import { corsHeaders, preflightAnswer } from "./cors.mjs";
import { allowedBuckets } from "../control/rules.mjs";
import { signOver } from "./sigv4.mjs";

const S3_PREFIX = "/cdn-cgi/local/r2/s3/";
const DRAIN_MS = 5_000;
// An idle connection stays open for minutes at Cloudflare. After Node's 5 s, clients that wait as long themselves (httpx)
// would send requests into connections that are being closed.
const KEEP_ALIVE_MS = 75_000;
// Headers that miniflare or the platform set; a client could forge a route or an address with them.
const PLATFORM_HEADERS = /^(?:mf-|cf-|x-forwarded-|x-real-ip$|cdn-loop$)/;

/** strikeKey: what a script's request for faults of its bindings must name; undefined where none may ask. */
export function createFront({ host, store, faults, strikeKey, log }) {
  const front = new Front({ host, store, faults, strikeKey, log });
  return { server: front.server, hold: (work) => front.hold(work), close: () => front.close() };
}

class Front {
  #host;
  #store;
  #faults;
  #strikeKey;
  #log;
  #agent = new Agent({ keepAlive: true });
  #patience = new Patience();
  #open = Promise.resolve();
  #underway = new Set();
  #tunnels = new Set();

  constructor({ host, store, faults, strikeKey, log }) {
    this.#faults = faults;
    this.#strikeKey = strikeKey;
    this.#host = host;
    this.#store = store;
    this.#log = log;
    this.server = createServer((incoming, outgoing) => void this.#serve(incoming, outgoing));
    this.server.on("upgrade", (incoming, socket, head) => void this.#tunnel(incoming, socket, head));
    // Slow uploads and open WebSockets take long.
    this.server.requestTimeout = 0;
    this.server.keepAliveTimeout = KEEP_ALIVE_MS;
  }

  /** Runs `work` while workerd has no request: open requests have some seconds to end, new requests wait. */
  async hold(work) {
    let release;
    this.#open = new Promise((resolve) => {
      release = resolve;
    });
    try {
      await Promise.race([Promise.all(this.#underway), new Promise((resolve) => setTimeout(resolve, DRAIN_MS).unref())]);
      const result = await work();
      this.#agent.destroy();
      this.#agent = new Agent({ keepAlive: true });
      return result;
    } finally {
      release();
    }
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
    for (const socket of this.#tunnels) socket.destroy();
    this.#agent.destroy();
  }

  async #serve(incoming, outgoing) {
    // Part of a request that is under way: waiting here would hold that request up.
    if (this.#strikeKey !== undefined && incoming.url === STRIKE_PREFIX + this.#strikeKey) return this.#strikeBinding(incoming, outgoing);
    await this.#open;
    let done;
    const underway = new Promise((resolve) => {
      done = resolve;
    });
    this.#underway.add(underway);
    outgoing.on("close", () => {
      this.#underway.delete(underway);
      done();
    });
    const route = this.#route(incoming);
    if (route.refusal) return answer(outgoing, route.refusal.status, route.refusal.text, route.refusal.headers);
    const fault = this.#faults.strike(incoming.method, new URL(incoming.url, "http://front").pathname);
    if (fault?.kind === "status") return answer(outgoing, fault.status, "A scripted fault struck.\n");
    if (fault?.kind === "reset") return incoming.socket.resetAndDestroy();
    if (fault?.kind === "latency") await new Promise((resolve) => setTimeout(resolve, fault.latency_s * 1000));
    const relay = (onward) => {
      onward.on("response", (response) => {
        if (fault?.kind === "lost_answer") return response.resume().on("end", () => incoming.socket.resetAndDestroy());
        const headers = Object.entries(response.headers).filter(([name]) => !(route.s3 && name.startsWith("access-control-")));
        outgoing.writeHead(response.statusCode, { ...Object.fromEntries(headers), ...route.responseHeaders });
        if (fault?.kind === "truncated") return sendHalf(response, outgoing);
        response.pipe(outgoing);
        response.on("error", () => outgoing.destroy());
      });
      outgoing.on("close", () => onward.destroy());
      return onward;
    };
    const fail = (error) => {
      if (outgoing.headersSent || incoming.destroyed) return outgoing.destroy();
      this.#log(`workerd did not answer: ${error.message}`);
      answer(outgoing, 502, "The local Workers runtime did not answer.\n");
    };
    const onward = relay(httpRequest(this.#onward(incoming, route)));
    if (!route.s3) {
      onward.on("error", fail);
      return sendBody(incoming, onward, this.#patience);
    }
    onward.on("error", (error) => {
      if (outgoing.headersSent || !refusedUnread(error)) return fail(error);
      relay(askWithoutBody(incoming, this.#onward(incoming, route))).on("error", fail);
    });
    incoming.pipe(onward);
  }

  async #strikeBinding(incoming, outgoing) {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const fault = this.#faults.strike("BINDING", Buffer.concat(chunks).toString("utf8"));
    if (fault === undefined) outgoing.writeHead(204).end();
    else outgoing.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(fault));
  }

  async #tunnel(incoming, socket, head) {
    socket.on("error", () => socket.destroy());
    await this.#open;
    const route = this.#route(incoming);
    if (route.refusal || route.s3) return socket.end("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n");
    const onward = httpRequest({ ...this.#onward(incoming, route), agent: false });
    onward.on("upgrade", (response, inner, innerHead) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${rawHeaders(response.rawHeaders)}\r\n`);
      if (innerHead.length > 0) socket.write(innerHead);
      if (head.length > 0) inner.write(head);
      this.#tunnels.add(socket);
      const end = () => {
        this.#tunnels.delete(socket);
        socket.destroy();
        inner.destroy();
      };
      for (const side of [socket, inner]) side.on("close", end).on("error", end);
      socket.pipe(inner).pipe(socket);
    });
    onward.on("response", (response) => {
      socket.write(`HTTP/1.1 ${response.statusCode} ${response.statusMessage}\r\n${rawHeaders(response.rawHeaders)}\r\n`);
      response.pipe(socket);
    });
    onward.on("error", () => socket.destroy());
    onward.end();
  }

  /** Where a request goes: {refusal} or {headers, path, responseHeaders, s3}. */
  #route(incoming) {
    let url;
    try {
      url = new URL(incoming.url, `http://${incoming.headers.host}`);
    } catch {
      return { refusal: { status: 400, text: "The URL of this request is not valid.\n" } };
    }
    const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([name]) => !PLATFORM_HEADERS.test(name)));
    if (url.pathname.startsWith(S3_PREFIX)) return this.#routeS3(incoming, url, headers);
    if (url.pathname.startsWith("/cdn-cgi/")) return { refusal: { status: 404, text: "Not found.\n" } };
    if (this.#host.served === undefined) {
      return {
        refusal: {
          status: 503,
          text: "No Worker is deployed here yet. Run `make up`.\n",
          headers: { "retry-after": "5" },
        },
      };
    }
    headers["cf-connecting-ip"] = incoming.socket.remoteAddress ?? "127.0.0.1";
    return { headers, path: incoming.url, responseHeaders: {}, s3: false };
  }

  #routeS3(incoming, url, headers) {
    const bucketName = url.pathname.slice(S3_PREFIX.length).split("/")[0];
    const rules = this.#store.get("R2BucketCors", bucketName)?.props.rules ?? [];
    const origin = headers.origin;
    if (incoming.method === "OPTIONS") {
      return { refusal: preflightAnswer(rules, origin, headers) };
    }
    if (this.#host.address === undefined || this.#store.get("R2Bucket", bucketName) === undefined) {
      return { refusal: { status: 404, text: s3Error("NoSuchBucket", "The specified bucket does not exist."), headers: XML } };
    }
    // The endpoint behind allows only origins of this machine; here the declared rules decide.
    delete headers.origin;
    const signed = signOver(
      { method: incoming.method, url, headers },
      (accessKeyId) => this.#secretFor(accessKeyId, bucketName),
      this.#store.internalKey,
    );
    return {
      headers: signed.headers,
      path: signed.url.pathname + signed.url.search,
      responseHeaders: corsHeaders(rules, origin, incoming.method),
      s3: true,
    };
  }

  /** The S3 secret of a declared token with access to the bucket: SHA-256 of its value. */
  #secretFor(accessKeyId, bucketName) {
    const token = this.#store.get("AccountToken", accessKeyId);
    if (token === undefined) return undefined;
    const allowed = allowedBuckets(token.props);
    return allowed.includes("*") || allowed.includes(bucketName) ? sha256Hex(token.props.value) : undefined;
  }

  #onward(incoming, route) {
    const { hostname, port } = this.#host.address;
    return { hostname, port, method: incoming.method, path: route.path, headers: route.headers, agent: this.#agent, setHost: false };
  }
}

const sha256Hex = (text) => createHash("sha256").update(text).digest("hex");
const XML = { "content-type": "application/xml" };

function s3Error(code, message) {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
}

function answer(outgoing, status, text, headers = {}) {
  outgoing.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...headers });
  outgoing.end(text);
}

/** The first half of a body, as if the connection broke in the middle. */
async function sendHalf(response, outgoing) {
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  outgoing.write(body.subarray(0, Math.floor(body.length / 2)), () => outgoing.destroy());
}

function rawHeaders(list) {
  let text = "";
  for (let index = 0; index < list.length; index += 2) text += `${list[index]}: ${list[index + 1]}\r\n`;
  return text;
}
