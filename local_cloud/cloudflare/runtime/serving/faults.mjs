// Scripted failures of the public port: which one strikes a request now. Pure counting and matching, no randomness.
// front.mjs carries them out. Same form as the faults of the RunPod stand-in (docs/local-cloud-runpod.md).

// A route begins with an HTTP method, or with BINDING for an operation of a script's own bucket (binding-faults.mjs).
/** reset: before any effect. lost_answer: full effect, then the connection breaks. truncated: half of the answer's body. */
export const KINDS = ["latency", "status", "reset", "lost_answer", "truncated"];
const FIELDS = new Set(["kind", "route", "nth", "times", "status", "latency_s"]);

/** A fault that cannot be carried out; the text names the field. */
export class FaultInvalid extends Error {}

export class Faults {
  #armed = [];
  #lastId = 0;

  /** fault: {kind, route: "PUT /path/*", nth?: 1, times?: 1 or null (until removed), status?: 503, latency_s?: 1}. */
  add(fault) {
    for (const name of Object.keys(fault)) if (!FIELDS.has(name)) throw new FaultInvalid(`${name} is not a field of a fault.`);
    if (!KINDS.includes(fault.kind)) throw new FaultInvalid(`kind is ${fault.kind}, allowed: ${KINDS.join(", ")}.`);
    if (typeof fault.route !== "string") throw new FaultInvalid('route is missing: "PUT /path/*".');
    const armed = { id: ++this.#lastId, matched: 0, struck: 0, nth: 1, times: 1, status: 503, latency_s: 1, ...fault };
    this.#armed.push(armed);
    return armed;
  }

  list() {
    return this.#armed;
  }

  clear() {
    this.#armed = [];
  }

  /** The first fault that strikes this request, or undefined. */
  strike(method, path) {
    return this.#armed.find((one) => matches(one.route, `${method} ${path}`) && strikes(one));
  }
}

function strikes(armed) {
  armed.matched += 1;
  if (armed.matched < armed.nth || (armed.times !== null && armed.struck >= armed.times)) return false;
  armed.struck += 1;
  return true;
}

function matches(route, line) {
  const pattern = route.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join(".*")}$`).test(line);
}
