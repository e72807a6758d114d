// Bodies of others, read up to a limit. The platform unpacks gzip and Brotli by itself: only the unpacked bytes count here.

/** The whole body; null if it has more than `bytesMax`, and the rest is not read. */
export async function readAtMost(body: ReadableStream<Uint8Array> | null, bytesMax: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  if (body !== null) {
    for await (const chunk of body) {
      bytes += chunk.byteLength;
      if (bytes > bytesMax) return null;
      chunks.push(chunk);
    }
  }
  return join(chunks, bytes);
}

/** bytes: of all chunks together. */
export function join(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const joined = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.byteLength;
  }
  return joined;
}
