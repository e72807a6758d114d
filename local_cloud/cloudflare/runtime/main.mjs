// Starts the local Cloudflare runtime: deployed scripts and R2 on --port, the control API on --control-port.
// No workerd process outlives it. It listens on the loopback address only.
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";

import { createControlServer } from "./control/server.mjs";
import { startCron } from "./timers/cron.mjs";
import { PATH as STRIKE_PREFIX } from "./serving/binding-faults.mjs";
import { Faults } from "./serving/faults.mjs";
import { createFront } from "./serving/front.mjs";
import { Host } from "./serving/host.mjs";
import { startLifecycle } from "./timers/lifecycle.mjs";
import { Registry } from "./control/registry.mjs";
import { Store } from "./control/store.mjs";

const HOST = "127.0.0.1";
const USAGE =
  "usage: CLOUDFLARE_API_TOKEN=… node main.mjs --port P --control-port C --state DIR   (P, C: 0 takes a free port)   [--inspector-port I, for profiles] [--binding-faults, for tests]";

/** Reads the command line; throws an error whose message names the fix. */
function readSettings(argv, env) {
  const { values } = parseArgs({
    args: argv,
    options: { port: { type: "string" }, "control-port": { type: "string" }, state: { type: "string" }, "inspector-port": { type: "string" }, "binding-faults": { type: "boolean" } },
  });
  const port = readPort("--port", values.port);
  const controlPort = readPort("--control-port", values["control-port"]);
  if (values["binding-faults"] && port === 0) throw new Error("--binding-faults needs a --port that is known before the start.");
  if (!values.state) throw new Error("--state is missing. Set it to the folder for buckets and objects.");
  const apiToken = env.CLOUDFLARE_API_TOKEN;
  if (!apiToken) throw new Error("CLOUDFLARE_API_TOKEN is empty. Set it to the key of the control API.");
  const inspectorPort = values["inspector-port"] === undefined ? undefined : readPort("--inspector-port", values["inspector-port"]);
  return { port, controlPort, stateDir: values.state, apiToken, inspectorPort, bindingFaults: values["binding-faults"] === true };
}

function readPort(name, text) {
  const port = Number(text);
  if (text === undefined || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`${name} is ${text}, allowed 0 to 65535.`);
  }
  return port;
}

function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, HOST, () => {
      server.off("error", reject);
      resolve(server.address().port);
    });
  });
}

const log = (line) => process.stderr.write(`${new Date().toISOString()} ${line}\n`);

async function main() {
  const settings = readSettings(process.argv.slice(2), process.env);
  // workerd, which runs deployed code, inherits this process's environment.
  delete process.env.CLOUDFLARE_API_TOKEN;
  const store = await Store.open(settings.stateDir);
  const strikeKey = settings.bindingFaults ? randomBytes(16).toString("hex") : undefined;
  const strikeUrl = strikeKey === undefined ? undefined : `http://${HOST}:${settings.port}${STRIKE_PREFIX}${strikeKey}`;
  const host = new Host({ persistDir: store.persistDir, log, inspectorPort: settings.inspectorPort, strikeUrl });
  const faults = new Faults();
  const front = createFront({ host, store, faults, strikeKey, log });
  // Requests wait at the public port until every stored script runs.
  const port = await listen(front.server, settings.port);
  const registry = new Registry({ store, host, front, log });
  await registry.restore();
  const control = createControlServer({ registry, faults, apiToken: settings.apiToken, log });
  const controlPort = await listen(control, settings.controlPort);
  const timers = [startCron({ store, host, log }), startLifecycle({ store, host, log })];

  let stopping = false;
  const stop = async (signal) => {
    if (stopping) return;
    stopping = true;
    log(`${signal}: stopping`);
    for (const timer of timers) timer.stop();
    control.close();
    control.closeAllConnections();
    front.close();
    await registry.idle();
    await host.dispose();
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => void stop(signal));

  process.stdout.write(
    `${JSON.stringify({ url: `http://${HOST}:${port}`, control_url: `http://${HOST}:${controlPort}`, pid: process.pid })}\n`,
  );
}

try {
  await main();
} catch (error) {
  const text = describe(error);
  process.stderr.write(`${text}\n${USAGE}\n`);
  process.exit(error?.code === "EADDRINUSE" ? 1 : 2);
}

function describe(error) {
  if (error.code === "EADDRINUSE") {
    return `Port ${error.port} of ${error.address} is in use. Stop the program that uses it, or choose another port.`;
  }
  return error.message;
}
