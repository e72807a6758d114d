// One presigned PUT with progress.
// Never retries, and never adds a header: the signature covers exactly the given ones.
import type { PutUpload } from "../../../shared/contracts/api.ts";

/** The browser sets these to the signed values, and does not let scripts set them. */
const BROWSER_SETS = new Set(["content-length", "host"]);

export interface Put {
  /** The status of the response, 0 when the connection broke. */
  done: Promise<number>;
  /** A header of the response that the storage lets scripts read. */
  header(name: string): string | null;
  abort(): void;
}

export function put({ url, method, headers }: Pick<PutUpload, "url" | "method" | "headers">, body: Blob, onBytes: (sent: number) => void): Put {
  const request = new XMLHttpRequest();
  const done = new Promise<number>((resolve) => {
    request.onload = () => resolve(request.status);
    request.onerror = () => resolve(0);
    request.ontimeout = () => resolve(0);
    request.onabort = () => resolve(0);
  });
  request.upload.onprogress = ({ loaded }) => onBytes(Math.min(loaded, body.size));
  request.open(method, url);
  for (const [name, value] of Object.entries(headers)) {
    if (!BROWSER_SETS.has(name.toLowerCase())) request.setRequestHeader(name, value);
  }
  request.send(body);
  return { done, header: (name) => request.getResponseHeader(name), abort: () => request.abort() };
}
