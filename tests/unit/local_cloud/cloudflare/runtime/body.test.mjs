// How a large body goes on to workerd while its script may refuse it unread, on a machine of any speed.
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { createServer as createTcpServer } from "node:net";
import test from "node:test";

import { Patience, sendBody } from "../../../../../local_cloud/cloudflare/runtime/serving/body.mjs";

const listening = (server) => new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));

/** A server that refuses after some ms, as workerd does: more than 64 KiB before that break the connection. */
function refusing(afterMs) {
  return createTcpServer((socket) => {
    let [got, refused] = [0, false];
    socket.on("data", (chunk) => {
      got += chunk.length;
      if (!refused && got > 64 * 1024) socket.resetAndDestroy();
    });
    socket.on("error", () => {});
    setTimeout(() => {
      refused = true;
      if (!socket.destroyed) socket.end("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }, afterMs);
  });
}

/** The status that a client gets for a large body through a front with this patience; 502: the connection broke. */
async function statusThrough(patience, inner) {
  const innerPort = await listening(inner);
  const front = createServer((incoming, outgoing) => {
    const onward = request({ host: "127.0.0.1", port: innerPort, method: "POST", agent: false });
    onward.on("response", (response) => response.pipe(outgoing.writeHead(response.statusCode)));
    onward.on("error", () => outgoing.headersSent || outgoing.writeHead(502).end());
    sendBody(incoming, onward, patience);
  });
  const port = await listening(front);
  try {
    return (await fetch(`http://127.0.0.1:${port}`, { method: "POST", body: Buffer.alloc(24 << 20) })).status;
  } finally {
    front.closeAllConnections();
    for (const server of [front, inner]) server.close();
  }
}

test("a refusal within a second arrives", async () => {
  assert.equal(await statusThrough(new Patience(), refusing(300)), 401);
});

test("a slow refusal of a large body arrives where the last answers were slow as well", async () => {
  const patience = new Patience();
  patience.saw(1000);
  assert.equal(await statusThrough(patience, refusing(1600)), 401);
});

test("the wait is a second on a quick machine, grows with the last answers, and ends", () => {
  const patience = new Patience();
  assert.equal(patience.waitMs, 1000);
  for (const [ms, wait] of [[20, 1000], [900, 3600], [60_000, 10_000], [20, 1000]]) {
    for (let n = 0; n < 20; n += 1) patience.saw(ms);
    assert.equal(patience.waitMs, wait);
  }
  patience.saw(60_000); // one slow answer is no busy machine
  assert.equal(patience.waitMs, 1000);
});
