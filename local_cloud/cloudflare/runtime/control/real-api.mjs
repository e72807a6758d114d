// Cloudflare's own API (api.cloudflare.com/client/v4), as far as the program, its checks and the commands call it.
// Dispatches by path; other calls are not answered.
import { success } from "./envelope.mjs";
import { answerBuckets, answerTokens } from "./rest-r2.mjs";
import { AssetUploads, SUBDOMAIN, answerAssetUpload, answerScripts } from "./rest-scripts.mjs";

const ANSWERS = { "workers/scripts": answerScripts, "r2/buckets": answerBuckets, tokens: answerTokens };
const uploads = new AssetUploads();

/** {status, body}, or undefined if the path is not one of these. */
export async function answerRealApi(incoming, registry) {
  const { method, url } = incoming;
  const { pathname, searchParams } = new URL(url, "http://control");
  if (method === "GET" && /^\/accounts\/[^/]+\/workers\/subdomain$/.test(pathname)) return success({ subdomain: SUBDOMAIN });
  const [, what, id, part] = /^\/accounts\/[^/]+\/(workers\/scripts|r2\/buckets|tokens)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(pathname) ?? [];
  const name = id === undefined ? undefined : decodeURIComponent(id);
  return ANSWERS[what]?.({ method, name, part, incoming, searchParams }, registry, uploads);
}

/** Files of assets are uploaded with the token of their session, not with the account's. undefined for other calls. */
export async function answerUploadOfAssets(incoming) {
  const { pathname } = new URL(incoming.url, "http://control");
  if (incoming.method !== "POST" || !/^\/accounts\/[^/]+\/workers\/assets\/upload$/.test(pathname)) return undefined;
  return answerAssetUpload(incoming, (incoming.headers.authorization ?? "").replace(/^Bearer /, ""), uploads);
}
