// A push service over real HTTP that accepts only what a real one does: a VAPID token for it, signed by the key that the
// browser subscribed with; and a browser that decrypts by RFC 8291. With node:crypto, independent of the Worker's code.
import { createDecipheriv, createECDH, createPublicKey, hkdfSync, randomBytes, verify } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

const b64 = (bytes: Buffer): string => bytes.toString("base64url");

export class PushService {
  /** Decrypted, in the order of their arrival. */
  readonly messages: string[] = [];
  /** Why messages were rejected. */
  readonly rejected: string[] = [];
  /** Answers in place of 201, for the next messages. */
  readonly answers: number[] = [];
  readonly #server: Server;
  readonly #keys = createECDH("prime256v1");
  readonly #auth = randomBytes(16);
  /** The stack's public key, that the browser subscribed with. */
  applicationServerKey = "";

  private constructor() {
    this.#keys.generateKeys();
    this.#server = createServer((request, response) => {
      void read(request).then((body) => {
        const status = this.answers.shift() ?? this.#take(request, body);
        response.writeHead(status).end();
      });
    });
  }

  static async start(): Promise<PushService> {
    const service = new PushService();
    await new Promise<void>((resolve) => service.#server.listen(0, "127.0.0.1", resolve));
    return service;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** As PushSubscription.toJSON() has it. */
  subscription(): object {
    return { endpoint: `${this.origin}/send/one`, expirationTime: null, keys: { p256dh: b64(this.#keys.getPublicKey()), auth: b64(this.#auth) } };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take({ headers }: IncomingMessage, body: Buffer): number {
    try {
      this.#checkToken(headers.authorization ?? "");
      if (headers["content-encoding"] !== "aes128gcm" || !/^\d+$/.test(String(headers["ttl"]))) throw new Error("no aes128gcm or no TTL");
      this.messages.push(this.#decrypt(body));
      return 201;
    } catch (error) {
      this.rejected.push(String(error));
      return 403;
    }
  }

  /** RFC 8292: an ES256 token for this origin, of a day at most. */
  #checkToken(authorization: string): void {
    const [, token = "", key = ""] = /^vapid t=([\w.-]+), k=([\w-]+)$/.exec(authorization) ?? [];
    if (key !== this.applicationServerKey) throw new Error("another key than the subscription's");
    const [header = "", claims = "", signature = ""] = token.split(".");
    const point = Buffer.from(key, "base64url");
    const publicKey = createPublicKey({ key: { kty: "EC", crv: "P-256", x: b64(point.subarray(1, 33)), y: b64(point.subarray(33)) }, format: "jwk" });
    const genuine = verify("sha256", Buffer.from(`${header}.${claims}`), { key: publicKey, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"));
    if (!genuine) throw new Error("the token is forged");
    const { aud, exp, sub } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { aud: string; exp: number; sub: string };
    const left = exp - Date.now() / 1000;
    if (aud !== this.origin || left <= 0 || left > 86_400 || !sub) throw new Error(`claims: ${aud} ${left} ${sub}`);
  }

  #decrypt(body: Buffer): string {
    const salt = body.subarray(0, 16);
    const idLength = body.readUInt8(20);
    const theirs = body.subarray(21, 21 + idLength);
    const sealed = body.subarray(21 + idLength);
    if (sealed.length > body.readUInt32BE(16)) throw new Error("longer than one record");
    const info = Buffer.concat([Buffer.from("WebPush: info\0"), this.#keys.getPublicKey(), theirs]);
    const secret = Buffer.from(hkdfSync("sha256", this.#keys.computeSecret(theirs), this.#auth, info, 32));
    const key = Buffer.from(hkdfSync("sha256", secret, salt, "Content-Encoding: aes128gcm\0", 16));
    const nonce = Buffer.from(hkdfSync("sha256", secret, salt, "Content-Encoding: nonce\0", 12));
    const decipher = createDecipheriv("aes-128-gcm", key, nonce);
    decipher.setAuthTag(sealed.subarray(-16));
    const plain = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
    const end = plain.lastIndexOf(2);
    if (end < 0 || plain.subarray(end + 1).some((byte) => byte !== 0)) throw new Error("no delimiter of the last record");
    return plain.subarray(0, end).toString();
  }
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
