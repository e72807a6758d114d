// Presigned addresses of single objects in the bucket (S3 API, SigV4 in the query).
// Signing is local; nothing here talks to R2, and a signed address is never logged.
import { AwsV4Signer } from "aws4fetch";

import type { Settings } from "../settings.ts";

/** S3 allows 1 s to 7 days. */
const EXPIRY_MAX_S = 604_800;

export interface PutTerms {
  readonly contentType: string;
  /** Exact size, signed; absent where only the writer knows it (outputs of a job). */
  readonly bytes?: number;
  /** Only the first PUT counts. */
  readonly writeOnce?: boolean;
}

export interface SignedPut {
  readonly url: string;
  /** Each must be sent as given. content-length is set by the client from the body and is signed too. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The day's signing key, derived once per isolate instead of once per call; the library caches it by key pair and date. */
const derivedKeys = new Map<string, ArrayBuffer>();

export class Presigner {
  readonly #s3: Settings["s3"];

  constructor({ s3 }: Pick<Settings, "s3">) {
    this.#s3 = s3;
  }

  get(key: string, expiresS: number): Promise<string> {
    return this.#sign("GET", key, expiresS, {});
  }

  async put(key: string, expiresS: number, terms: PutTerms): Promise<SignedPut> {
    const sent: Record<string, string> = { "content-type": terms.contentType };
    if (terms.writeOnce === true) sent["if-none-match"] = "*";
    const signedHeaders = terms.bytes === undefined ? sent : { ...sent, "content-length": String(terms.bytes) };
    return { url: await this.#sign("PUT", key, expiresS, signedHeaders), headers: sent };
  }

  /** One part of an upload that has started, bound to its exact size. */
  part(key: string, upload: { readonly id: string; readonly number: number; readonly bytes: number }, expiresS: number): Promise<string> {
    const query = `partNumber=${upload.number}&uploadId=${encodeURIComponent(upload.id)}&`;
    return this.#sign("PUT", key, expiresS, { "content-length": String(upload.bytes) }, query);
  }

  async #sign(method: string, key: string, expiresS: number, headers: Record<string, string>, query = ""): Promise<string> {
    const { endpoint, bucket, accessKeyId, secretAccessKey } = this.#s3;
    const seconds = Math.min(EXPIRY_MAX_S, Math.max(1, Math.ceil(expiresS)));
    const signer = new AwsV4Signer({
      method,
      url: `${endpoint}/${bucket}/${key}?${query}X-Amz-Expires=${seconds}`,
      headers,
      accessKeyId,
      secretAccessKey,
      service: "s3",
      region: "auto",
      cache: derivedKeys,
      signQuery: true,
      // Without it only the host is signed, and any type or size would be accepted.
      allHeaders: true,
    });
    return (await signer.sign()).url.toString();
  }
}
