// Whether a worker's message is genuine and recent: Standard Webhooks signatures (standardwebhooks.com).
// Verifies only; the worker signs.
import { Webhook, WebhookVerificationError } from "standardwebhooks";

/** Why the message is rejected, or null if it is genuine. body: the exact text that was sent. */
export function rejectionOf(secret: string, headers: Record<string, string>, body: string): string | null {
  try {
    new Webhook(secret).verify(body, headers, { jsonParse: false });
    return null;
  } catch (error) {
    // Anything else is a secret that signs nothing.
    return error instanceof WebhookVerificationError ? error.message : "No secret";
  }
}
