// Scripted failures of a script's own bucket binding: a module around the script that asks before each operation.
// Pure text. front.mjs answers whether a fault strikes (route "BINDING /<binding>/<operation>/<key>").

export const MODULE = "local-binding-faults.js";
export const PATH = "/cdn-cgi/local/strike/";

/** The module's text. classes: names of Durable Objects; buckets: names of R2 bindings; url: where to ask. */
export function moduleText({ mainModule, classes, buckets, url }) {
  const objects = classes.map((name) => `export class ${name} extends script.${name} { constructor(ctx, env) { super(ctx, withFaults(env)); } }`);
  return `import * as script from ${JSON.stringify(`./${mainModule}`)};
const buckets = ${JSON.stringify(buckets)};
const url = ${JSON.stringify(url)};

async function strike(path) {
  const answer = await fetch(url, { method: "POST", body: path });
  if (answer.status === 204) return;
  const fault = await answer.json();
  if (fault.kind !== "latency") throw new Error("We encountered an internal error. Please try again. (10001)");
  await scheduler.wait(fault.latency_s * 1000);
}

function faulty(name, bucket) {
  return new Proxy(bucket, {
    get(target, operation) {
      const method = target[operation];
      if (typeof method !== "function") return method;
      return async (...given) => {
        await strike("/" + name + "/" + operation + "/" + (typeof given[0] === "string" ? given[0] : ""));
        return method.apply(target, given);
      };
    },
  });
}

const withFaults = (env) => ({ ...env, ...Object.fromEntries(buckets.map((name) => [name, faulty(name, env[name])])) });

export default Object.fromEntries(
  Object.entries(script.default).map(([name, handler]) => [name, (event, env, ctx) => handler.call(script.default, event, withFaults(env), ctx)]),
);
${objects.join("\n")}
`;
}
