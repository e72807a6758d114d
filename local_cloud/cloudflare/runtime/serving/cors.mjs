// R2's CORS answers from a bucket's declared rules; the local endpoint behind allows only this machine's origins.
// Pure. An origin that no rule names gets no header, and its preflight is rejected.

/** Headers to add to the answer of a plain request; none if no rule allows origin and method. */
export function corsHeaders(rules, origin, method) {
  const rule = origin === undefined ? undefined : match(rules, origin, method);
  if (rule === undefined) return {};
  return {
    "access-control-allow-origin": rule.allowed.origins.includes("*") ? "*" : origin,
    vary: "Origin",
    ...(rule.exposeHeaders?.length ? { "access-control-expose-headers": rule.exposeHeaders.join(", ") } : {}),
  };
}

/** The answer to a preflight: {status, text, headers}. */
export function preflightAnswer(rules, origin, headers) {
  const method = headers["access-control-request-method"];
  const wanted = (headers["access-control-request-headers"] ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter(Boolean);
  const rule = origin === undefined || method === undefined ? undefined : match(rules, origin, method, wanted);
  if (rule === undefined) return { status: 403, text: "This origin, method or header is not allowed by the bucket's CORS rules.\n" };
  return {
    status: 204,
    text: "",
    headers: {
      ...corsHeaders([rule], origin, method),
      "access-control-allow-methods": rule.allowed.methods.join(", "),
      ...(wanted.length > 0 ? { "access-control-allow-headers": wanted.join(", ") } : {}),
      ...(rule.maxAgeSeconds ? { "access-control-max-age": String(rule.maxAgeSeconds) } : {}),
    },
  };
}

function match(rules, origin, method, wantedHeaders = []) {
  return rules.find(({ allowed }) => {
    const names = (allowed.headers ?? []).map((name) => name.toLowerCase());
    return (
      allowed.methods.includes(method) &&
      (allowed.origins.includes("*") || allowed.origins.includes(origin)) &&
      wantedHeaders.every((name) => names.includes("*") || names.includes(name))
    );
  });
}
