// The code in a sign-in link: half of it is random, half proves that we made it. Whoever guesses wakes no object.
// Whether it was used or has expired is the account's to know.
import { fromBase64Url, hmac, randomBytes, toBase64Url } from "../crypto.ts";

/** Bytes of each half. */
const HALF = 16;

/** hookKeys: the current key comes first and signs. */
export async function makeLoginCode(hookKeys: readonly string[]): Promise<string> {
  const [key] = hookKeys;
  if (key === undefined) throw new Error("HOOK_KEYS holds no key");
  const random = randomBytes(HALF);
  return toBase64Url(new Uint8Array([...random, ...(await proofOf(key, random))]));
}

/** Whether one of the keys made the code. */
export async function isLoginCode(code: string, hookKeys: readonly string[]): Promise<boolean> {
  const bytes = code.length > 64 ? null : fromBase64Url(code);
  if (bytes?.length !== 2 * HALF) return false;
  const proof = bytes.subarray(HALF);
  const proofs = await Promise.all(hookKeys.map((key) => proofOf(key, bytes.subarray(0, HALF))));
  return proofs.some((own) => crypto.subtle.timingSafeEqual(own, proof));
}

async function proofOf(key: string, random: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await hmac(key, `splat-login-v1\n${toBase64Url(random)}`)).subarray(0, HALF);
}
