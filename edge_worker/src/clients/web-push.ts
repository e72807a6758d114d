// One message to one browser over its push service: encrypted for that browser alone (RFC 8291, RFC 8188), signed with
// the stack's own key (VAPID, RFC 8292). Never logs or returns an address: whoever knows it and the key can send.
import { SignJWT } from "jose";

import { fromBase64, fromBase64Url, randomBytes, toBase64Url } from "../crypto.ts";
import { join } from "../body.ts";

/** A browser's address at its push service, and what a message for it is encrypted with: both base64url. */
export interface Subscription {
  readonly endpoint: string;
  /** Its public key: 65 bytes, an uncompressed point of P-256. */
  readonly p256dh: string;
  /** 16 bytes. */
  readonly auth: string;
}

/** gone: the subscription has ended, or belongs to another key. */
export type Sent = "sent" | "gone" | { readonly retryAfterMs: number };

const TIMEOUT_MS = 10_000;
const RETRY_AFTER_MAX_S = 3600;
/** How long a push service keeps a message for a browser that is closed. */
const TTL_S = 24 * 3600;
const TOKEN_S = 12 * 3600;
const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;
const AGREEMENT = { name: "ECDH", namedCurve: "P-256" } as const;
/** PKCS #8 of a private key on P-256 without its public key (RFC 5915), before the 32 bytes. */
const PKCS8 = Uint8Array.from([0x30, 0x41, 2, 1, 0, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 4, 0x27, 0x30, 0x25, 2, 1, 1, 4, 0x20]);
/** Of a record (RFC 8188 2): a message is one record. */
const RECORD_BYTES = 4096;

interface PushKey {
  readonly sign: CryptoKey;
  /** As browsers take it: base64url of the uncompressed point. */
  readonly publicKey: string;
}

const known = new Map<string, Promise<PushKey>>();

/** The stack's key from its secret, 32 bytes in base64. */
export function pushKeyOf(secret: string): Promise<PushKey> {
  const before = known.get(secret);
  if (before !== undefined) return before;
  const made = readKey(secret);
  known.set(secret, made);
  return made;
}

async function readKey(secret: string): Promise<PushKey> {
  const scalar = fromBase64(secret);
  // Below the order of the curve, as every private key must be.
  scalar[0] = (scalar[0] ?? 0) & 0x7f;
  const sign = await crypto.subtle.importKey("pkcs8", join([PKCS8, scalar], PKCS8.length + scalar.length), CURVE, true, ["sign"]);
  const { x, y } = (await crypto.subtle.exportKey("jwk", sign)) as JsonWebKey;
  const point = [new Uint8Array([4]), fromBase64Url(x ?? ""), fromBase64Url(y ?? "")].map((part) => part ?? new Uint8Array());
  return { sign, publicKey: toBase64Url(join(point, 65)) };
}

/** message: at most 3900 bytes of UTF-8. topic: a newer message replaces one that was not delivered yet. Never throws for what the service does. */
export async function sendPush(to: Subscription, message: string, topic: string, key: PushKey, contact: string, now: number): Promise<Sent> {
  const url = new URL(to.endpoint);
  const token = await new SignJWT({ sub: contact })
    .setProtectedHeader({ alg: "ES256", typ: "JWT" })
    .setAudience(url.origin)
    .setExpirationTime(Math.floor(now / 1000) + TOKEN_S)
    .sign(key.sign);
  const body = await encrypt(new TextEncoder().encode(message), to);
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        authorization: `vapid t=${token}, k=${key.publicKey}`,
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        ttl: String(TTL_S),
        urgency: "normal",
        topic,
      },
      body,
      redirect: "manual",
      signal: limit.signal,
    });
    await response.body?.cancel();
    if (response.ok) return "sent";
    if (response.status !== 429 && response.status < 500) return "gone";
    const asked = Number(response.headers.get("retry-after") ?? 0);
    return { retryAfterMs: Number.isFinite(asked) ? Math.min(Math.max(0, asked), RETRY_AFTER_MAX_S) * 1000 : 0 };
  } catch {
    return { retryAfterMs: 0 };
  } finally {
    clearTimeout(timer);
  }
}

/** For tests with known answers. Otherwise both are new for each message. */
export interface Chosen {
  readonly salt: Uint8Array<ArrayBuffer>;
  readonly keys: CryptoKeyPair;
}

/** The body of one message: header, and a single record (RFC 8291 4, RFC 8188 2). Throws for a key that is no point of the curve. */
export async function encrypt(message: Uint8Array, to: Pick<Subscription, "p256dh" | "auth">, chosen?: Chosen): Promise<Uint8Array<ArrayBuffer>> {
  const [theirs, auth] = [bytesIn(to.p256dh), bytesIn(to.auth)];
  const salt = chosen?.salt ?? randomBytes(16);
  const { publicKey, privateKey } = chosen?.keys ?? ((await crypto.subtle.generateKey(AGREEMENT, true, ["deriveBits"])) as CryptoKeyPair);
  const ours = new Uint8Array((await crypto.subtle.exportKey("raw", publicKey)) as ArrayBuffer);
  const point = await crypto.subtle.importKey("raw", theirs, AGREEMENT, false, []);
  // workerd's types call the field `$public`; the platform reads `public`.
  const shared = new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: point } as unknown as SubtleCryptoDeriveKeyAlgorithm, privateKey, 256));
  const secret = await hkdf(shared, auth, [text("WebPush: info\0"), theirs, ours], 32);
  const contentKey = await hkdf(secret, salt, [text("Content-Encoding: aes128gcm\0")], 16);
  const nonce = await hkdf(secret, salt, [text("Content-Encoding: nonce\0")], 12);
  const aes = await crypto.subtle.importKey("raw", contentKey, "AES-GCM", false, ["encrypt"]);
  // 2: the last record, without padding.
  const plain = join([message, new Uint8Array([2])], message.length + 1);
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, aes, plain));
  const size = new Uint8Array(4);
  new DataView(size.buffer).setUint32(0, RECORD_BYTES);
  return join([salt, size, new Uint8Array([ours.length]), ours, sealed], 21 + ours.length + sealed.length) as Uint8Array<ArrayBuffer>;
}

/** Whether it is a public key that a message can be encrypted for. */
export async function isPoint(base64Url: string): Promise<boolean> {
  try {
    await crypto.subtle.importKey("raw", bytesIn(base64Url), AGREEMENT, false, []);
    return true;
  } catch {
    return false;
  }
}

async function hkdf(secret: Uint8Array<ArrayBuffer>, salt: Uint8Array<ArrayBuffer>, info: readonly Uint8Array[], bytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const whole = join(info, info.reduce((sum, { length }) => sum + length, 0)) as Uint8Array<ArrayBuffer>;
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info: whole }, key, bytes * 8));
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function bytesIn(base64Url: string): Uint8Array<ArrayBuffer> {
  const bytes = fromBase64Url(base64Url);
  if (bytes === null) throw new Error("not base64url");
  return bytes;
}
