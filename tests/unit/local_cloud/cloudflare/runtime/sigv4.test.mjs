// Signatures, checked and replaced by those of the internal key.
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";

import { signOver } from "../../../../../local_cloud/cloudflare/runtime/serving/sigv4.mjs";

const KEY = { accessKeyId: "in", secretAccessKey: "side" };

// The example of AWS's documentation "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
const AWS_EXAMPLE = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  url: "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
};

test("a valid signature (AWS's example) is replaced by one of the internal key", () => {
  const request = { method: "GET", url: new URL(AWS_EXAMPLE.url), headers: { host: "examplebucket.s3.amazonaws.com" } };
  const { url } = signOver(request, (id) => (id === AWS_EXAMPLE.accessKeyId ? AWS_EXAMPLE.secret : undefined), KEY);
  assert.equal(url.searchParams.get("X-Amz-Credential"), "in/20130524/us-east-1/s3/aws4_request");
  assert.equal(url.searchParams.get("X-Amz-Signature"), innerSignature(url));
});

test("the inner signature leaves out headers that change on the way", () => {
  const headers = { host: "h", "accept-encoding": "identity", range: "bytes=0-1", "x-amz-date": "20130524T000000Z", "x-amz-content-sha256": "UNSIGNED-PAYLOAD" };
  const signed = Object.keys(headers).sort();
  const authorize = (names, key) => {
    const canonical = `GET\n/b/k\n\n${names.map((name) => `${name}:${headers[name]}\n`).join("")}\n${names.join(";")}\nUNSIGNED-PAYLOAD`;
    const scope = "20130524/auto/s3/aws4_request";
    const toSign = `AWS4-HMAC-SHA256\n20130524T000000Z\n${scope}\n${createHash("sha256").update(canonical).digest("hex")}`;
    const signing = scope.split("/").reduce((secret, part) => createHmac("sha256", secret).update(part).digest(), `AWS4${key.secretAccessKey}`);
    const signature = createHmac("sha256", signing).update(toSign).digest("hex");
    return `AWS4-HMAC-SHA256 Credential=${key.accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  };
  const outer = { accessKeyId: "client", secretAccessKey: "known" };
  const request = { method: "GET", url: new URL("https://h/b/k"), headers: { ...headers, authorization: authorize(signed, outer) } };
  const over = signOver(request, () => outer.secretAccessKey, KEY);
  assert.equal(over.headers.authorization, authorize(signed.filter((name) => name !== "accept-encoding"), KEY));
});

test("an x-amz-* header that is not signed makes a genuine signature invalid", () => {
  const given = (headers) => signOver({ method: "GET", url: new URL(AWS_EXAMPLE.url), headers: { host: "examplebucket.s3.amazonaws.com", ...headers } }, () => AWS_EXAMPLE.secret, KEY).url;
  const original = new URL(AWS_EXAMPLE.url).searchParams.get("X-Amz-Signature");
  assert.notEqual(given({}).searchParams.get("X-Amz-Signature"), original);
  assert.notEqual(given({ "x-amz-content-sha256": "UNSIGNED-PAYLOAD" }).searchParams.get("X-Amz-Signature"), original);
  for (const name of ["x-amz-copy-source", "x-amz-acl", "x-amz-meta-a"]) assert.equal(given({ [name]: "/b/k" }).searchParams.get("X-Amz-Signature"), original);
});

test("a wrong signature stays wrong, and a request with an unknown key is unchanged", () => {
  const request = { method: "PUT", url: new URL(AWS_EXAMPLE.url), headers: { host: "examplebucket.s3.amazonaws.com" } };
  const tampered = signOver(request, () => AWS_EXAMPLE.secret, KEY).url;
  assert.equal(tampered.searchParams.get("X-Amz-Signature"), request.url.searchParams.get("X-Amz-Signature"));
  assert.notEqual(tampered.searchParams.get("X-Amz-Signature"), innerSignature(tampered));
  assert.equal(signOver(request, () => undefined, KEY).url, request.url);
  const unsigned = { method: "GET", url: new URL("https://h/b/k"), headers: { host: "h" } };
  assert.equal(signOver(unsigned, () => "s", KEY).url, unsigned.url);
});

/** The signature of the example's request under the inner key, written out from AWS's rules. */
function innerSignature(url) {
  const canonicalQuery = [...url.searchParams]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .sort()
    .join("&");
  const canonical = `GET\n/test.txt\n${canonicalQuery}\nhost:examplebucket.s3.amazonaws.com\n\nhost\nUNSIGNED-PAYLOAD`;
  const scope = "20130524/us-east-1/s3/aws4_request";
  const toSign = `AWS4-HMAC-SHA256\n20130524T000000Z\n${scope}\n${createHash("sha256").update(canonical).digest("hex")}`;
  const key = scope.split("/").reduce((secret, part) => createHmac("sha256", secret).update(part).digest(), `AWS4${KEY.secretAccessKey}`);
  return createHmac("sha256", key).update(toSign).digest("hex");
}
