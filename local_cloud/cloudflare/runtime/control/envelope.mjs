// The envelope of api.cloudflare.com/client/v4, and request bodies of its calls. Knows no resource.

const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** A body that is not of the form that a call wants. */
export class BadBody extends Error {}

export function success(result, rest = {}) {
  return { status: 200, body: { success: true, errors: [], messages: [], result, ...rest } };
}

export function failure(status, code, message) {
  return { status, body: { success: false, errors: [{ code, message }], messages: [], result: null } };
}

export async function readBytes(incoming) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new BadBody(`The body is over ${MAX_BODY_BYTES} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The body as JSON of any type. */
export async function readAnyJson(incoming) {
  try {
    return JSON.parse((await readBytes(incoming)).toString("utf8"));
  } catch (error) {
    if (error instanceof BadBody) throw error;
    throw new BadBody("The body is not JSON.");
  }
}

/** The body as an object. */
export async function readJson(incoming) {
  const body = await readAnyJson(incoming);
  if (body === null || typeof body !== "object" || Array.isArray(body)) throw new BadBody("The body must be an object.");
  return body;
}

/** The parts of a multipart body: name to Blob or text. */
export async function readForm(incoming) {
  const body = await readBytes(incoming);
  try {
    return await new Response(body, { headers: { "content-type": incoming.headers["content-type"] ?? "" } }).formData();
  } catch {
    throw new BadBody("The body is not multipart/form-data.");
  }
}
