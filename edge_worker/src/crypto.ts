// Small helpers over WebCrypto: encodings, SHA-256, HMAC, random names, comparison in constant time.
// Holds no keys and no rules.

const encoder = new TextEncoder();

export function toHex(bytes: ArrayBuffer | Uint8Array): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function toBase64(bytes: ArrayBuffer | Uint8Array): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}

export function toBase64Url(bytes: ArrayBuffer | Uint8Array): string {
  return toBase64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** Throws on text that is not base64; callers check the form first. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

/** The bytes, or null unless `text` is the one text that `toBase64Url` writes for them: others differ in spare bits of the last letter. */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return null;
  const bytes = fromBase64(text.replace(/-/g, "+").replace(/_/g, "/"));
  return toBase64Url(bytes) === text ? bytes : null;
}

export async function sha256Hex(text: string): Promise<string> {
  return toHex(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
}

/** keyBase64: raw key in base64. */
export async function hmac(keyBase64: string, message: string): Promise<ArrayBuffer> {
  const key = await importHmacKey(keyBase64);
  return crypto.subtle.sign("HMAC", key, encoder.encode(message));
}

/** Constant-time check of an HMAC-SHA256. */
export async function verifyHmac(keyBase64: string, message: string, mac: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const key = await importHmacKey(keyBase64);
  return crypto.subtle.verify("HMAC", key, mac, encoder.encode(message));
}

function importHmacKey(keyBase64: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", fromBase64(keyBase64), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

export function randomBytes(count: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(count));
}

/** Unguessable text for codes and nonces, 8 bits a byte. */
export function randomToken(bytes = 32): string {
  return toBase64Url(randomBytes(bytes));
}

const ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** A name for people to read aloud: 32 letters without look-alikes, 5 bits each. */
export function randomId(prefix: string, length: number): string {
  return nameOf(prefix, randomBytes(length));
}

/** The name that always belongs to `seed`; length up to 32. */
export async function derivedId(prefix: string, length: number, seed: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(seed));
  return nameOf(prefix, new Uint8Array(digest).subarray(0, length));
}

function nameOf(prefix: string, bytes: Uint8Array): string {
  return `${prefix}_${Array.from(bytes, (byte) => ID_ALPHABET[byte & 31]).join("")}`;
}

/** Compares two texts; both are hashed first, so that the time reveals neither length nor position of a difference. */
export async function equalSecrets(a: string, b: string): Promise<boolean> {
  const [x, y] = await Promise.all([a, b].map((text) => crypto.subtle.digest("SHA-256", encoder.encode(text))));
  return x !== undefined && y !== undefined && crypto.subtle.timingSafeEqual(x, y);
}
