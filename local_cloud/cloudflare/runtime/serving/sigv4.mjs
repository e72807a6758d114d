// AWS Signature Version 4 of one request, as R2's S3 endpoint computes it, replaced by one of another key pair.
// The endpoint behind checks expiry and payload.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

const ALGORITHM = "AWS4-HMAC-SHA256";

/**
 * Checks a request's signature with the secret of the key that it names, and signs it again with `internalKey`.
 *
 * request: {method, url: URL, headers: lower-case names}
 * secretOf(accessKeyId): the secret, or undefined for an unknown key.
 * Returns {headers, url} to send on. A request that is not signed, names an unknown key or has a wrong
 * signature is returned unchanged, so that the endpoint behind rejects it in its own words.
 */
export function signOver(request, secretOf, internalKey) {
  const parsed = request.url.searchParams.has("X-Amz-Signature") ? readQuery(request) : readHeader(request);
  const unchanged = { headers: request.headers, url: request.url };
  if (parsed === undefined) return unchanged;
  const secret = secretOf(parsed.accessKeyId);
  if (secret === undefined) return unchanged;
  const wanted = Buffer.from(sign(request, parsed, secret));
  const given = Buffer.from(parsed.signature);
  const genuine = wanted.length === given.length && timingSafeEqual(wanted, given) && coversAmz(request, parsed);
  return parsed.presigned
    ? signQueryOver(request, parsed, internalKey, genuine)
    : signHeaderOver(request, parsed, internalKey, genuine);
}

/**
 * Whether every x-amz-* header is signed, as S3 requires: such a header changes what a request does (x-amz-copy-source
 * makes a PUT a copy). The hash of the body is part of every signature by itself.
 */
function coversAmz({ headers }, { signedHeaders }) {
  return Object.keys(headers).every((name) => !name.startsWith("x-amz-") || name === "x-amz-content-sha256" || signedHeaders.includes(name));
}

// Headers that reach the endpoint behind as the client sent them. Others change on the way (accept-encoding, which
// the AWS SDK for Go signs), so the inner signature leaves them out. The outer signature is checked with them.
const CARRIED = /^(?:host$|range$|content-|if-|x-amz-)/;

// A wrong signature travels on under the internal key id, so that the answer is SignatureDoesNotMatch, as on the platform.
function signQueryOver(request, parsed, internalKey, genuine) {
  const url = new URL(request.url);
  const inner = { ...parsed, signedHeaders: parsed.signedHeaders.filter((name) => CARRIED.test(name)) };
  url.searchParams.set("X-Amz-Credential", [internalKey.accessKeyId, ...parsed.scope].join("/"));
  url.searchParams.set("X-Amz-SignedHeaders", inner.signedHeaders.join(";"));
  const signature = genuine ? sign({ ...request, url }, inner, internalKey.secretAccessKey) : parsed.signature;
  url.searchParams.set("X-Amz-Signature", signature);
  return { headers: request.headers, url };
}

function signHeaderOver(request, parsed, internalKey, genuine) {
  const inner = { ...parsed, signedHeaders: parsed.signedHeaders.filter((name) => CARRIED.test(name)) };
  const signature = genuine ? sign(request, inner, internalKey.secretAccessKey) : parsed.signature;
  const credential = [internalKey.accessKeyId, ...parsed.scope].join("/");
  const authorization = `${ALGORITHM} Credential=${credential}, SignedHeaders=${inner.signedHeaders.join(";")}, Signature=${signature}`;
  return { headers: { ...request.headers, authorization }, url: request.url };
}

function readQuery({ url }) {
  const query = url.searchParams;
  return readParts({
    credential: query.get("X-Amz-Credential"),
    signedHeaders: query.get("X-Amz-SignedHeaders"),
    signature: query.get("X-Amz-Signature"),
    amzDate: query.get("X-Amz-Date"),
    payloadHash: "UNSIGNED-PAYLOAD",
    presigned: true,
  });
}

function readHeader({ headers }) {
  const text = headers.authorization;
  if (!text?.startsWith(`${ALGORITHM} `)) return undefined;
  const fields = new Map();
  for (const part of text.slice(ALGORITHM.length).split(",")) {
    const at = part.indexOf("=");
    if (at > 0) fields.set(part.slice(0, at).trim(), part.slice(at + 1).trim());
  }
  return readParts({
    credential: fields.get("Credential"),
    signedHeaders: fields.get("SignedHeaders"),
    signature: fields.get("Signature"),
    amzDate: headers["x-amz-date"] ?? headers.date,
    payloadHash: headers["x-amz-content-sha256"],
    presigned: false,
  });
}

function readParts({ credential, signedHeaders, signature, amzDate, payloadHash, presigned }) {
  if (!credential || !signedHeaders || !signature || !amzDate || !payloadHash) return undefined;
  const parts = credential.split("/");
  if (parts.length < 5) return undefined;
  return {
    accessKeyId: parts.slice(0, -4).join("/"),
    scope: parts.slice(-4),
    signedHeaders: signedHeaders.split(";").map((name) => name.toLowerCase()),
    signature,
    amzDate,
    payloadHash,
    presigned,
  };
}

/** Hex signature of the request under `secret`. */
function sign(request, { scope, signedHeaders, amzDate, payloadHash, presigned }, secret) {
  const canonical = [
    request.method,
    request.url.pathname,
    canonicalQuery(request.url, presigned),
    signedHeaders.map((name) => `${name}:${String(request.headers[name] ?? "").trim().replace(/ +/g, " ")}\n`).join(""),
    signedHeaders.join(";"),
    payloadHash,
  ].join("\n");
  const toSign = [ALGORITHM, amzDate, scope.join("/"), createHash("sha256").update(canonical).digest("hex")].join("\n");
  let key = `AWS4${secret}`;
  for (const part of scope) key = createHmac("sha256", key).update(part).digest();
  return createHmac("sha256", key).update(toSign).digest("hex");
}

function canonicalQuery(url, presigned) {
  return [...url.searchParams]
    .filter(([name]) => !(presigned && name === "X-Amz-Signature"))
    .map(([name, value]) => [encode(name), encode(value)])
    .sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const encode = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
