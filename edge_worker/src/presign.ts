// Presigned addresses of single objects in the bucket (S3 API, SigV4 in the query).
// Signing is local; nothing here talks to R2, and a signed address is never logged.
import { AwsClient } from "aws4fetch";

import type { Settings } from "./env.ts";

/** S3 takes 1 s to 7 days. */
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
  /** Every one must be sent as given. content-length is set by the client from the body and is signed too. */
  readonly headers: Readonly<Record<string, string>>;
}

export class Presigner {
  readonly #client: AwsClient;
  readonly #base: string;

  constructor({ s3 }: Pick<Settings, "s3">) {
    this.#client = new AwsClient({ accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey, service: "s3", region: "auto" });
    this.#base = `${s3.endpoint}/${s3.bucket}`;
  }

  async get(key: string, expiresS: number): Promise<string> {
    const signed = await this.#client.sign(this.#address(key, expiresS), { method: "GET", aws: { signQuery: true } });
    return signed.url;
  }

  async put(key: string, expiresS: number, terms: PutTerms): Promise<SignedPut> {
    const sent: Record<string, string> = { "content-type": terms.contentType };
    if (terms.writeOnce === true) sent["if-none-match"] = "*";
    const signedHeaders = terms.bytes === undefined ? sent : { ...sent, "content-length": String(terms.bytes) };
    const signed = await this.#client.sign(this.#address(key, expiresS), {
      method: "PUT",
      headers: signedHeaders,
      // Without allHeaders only the host is signed, and any type or size would be taken.
      aws: { signQuery: true, allHeaders: true },
    });
    return { url: signed.url, headers: sent };
  }

  #address(key: string, expiresS: number): string {
    const url = new URL(`${this.#base}/${key}`);
    url.searchParams.set("X-Amz-Expires", String(Math.min(EXPIRY_MAX_S, Math.max(1, Math.ceil(expiresS)))));
    return url.toString();
  }
}
