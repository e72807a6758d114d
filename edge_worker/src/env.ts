/** Bindings as declared by infra/components/edge.py and wrangler.jsonc; docs/contracts.md has the table. */
export interface Env {
  readonly ASSETS: Fetcher;
  readonly BUCKET: R2Bucket;
  readonly PROJECT: DurableObjectNamespace;
  readonly INDEX: DurableObjectNamespace;
  readonly RATE_LIMIT: RateLimit;
  readonly STACK: string;
  readonly WORKER_URL: string;
  readonly S3_ENDPOINT: string;
  readonly S3_BUCKET: string;
  readonly RUNPOD_JOB_URL: string;
  readonly PRICE: string;
  readonly LIMITS: string;
  readonly RUNPOD_ENDPOINT_ID: string;
  readonly RUNPOD_API_KEY: string;
  readonly S3_ACCESS_KEY_ID: string;
  readonly S3_SECRET_ACCESS_KEY: string;
  readonly HOOK_KEYS: string;
  readonly API_TOKENS: string;
  /** Absent or null where the memory of the stack's cards is unknown. */
  readonly CARD?: string;
  /** Absent unless Cloudflare Access stands in front. */
  readonly ACCESS?: string;
  /** Absent where no messages are sent to browsers. */
  readonly PUSH_KEY?: string;
  /** Absent unless alerts are sent somewhere. */
  readonly ALERT_WEBHOOK?: string;
}
