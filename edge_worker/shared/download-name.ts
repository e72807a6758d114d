// What a downloaded file is called: by its scene, and in characters that every file system takes.
// Pure. The server names files so in Content-Disposition, and the page in its links.

/** Leaves room for an ending and a " (2)" within the 255 bytes of most file systems, at up to 2 bytes a letter. */
const NAME_LENGTH_MAX = 80;
/** Control characters and those that Windows forbids. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is removed
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069"*/:<>?\\|]+/g;
/** Names of devices on Windows, with any ending. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)$/i;

/** "Brass kettle" and "scene.sog": "Brass kettle.sog"; other artifacts keep what tells them apart: "Brass kettle-cameras.json". */
export function downloadName(sceneName: string, artifact: string): string {
  const dot = artifact.lastIndexOf(".");
  const [kind, ending] = [artifact.slice(0, dot), artifact.slice(dot)];
  const cleaned = [...sceneName.normalize("NFC").replaceAll(FORBIDDEN, "-")].slice(0, NAME_LENGTH_MAX).join("").replaceAll(/^[\s.-]+|[\s.-]+$/g, "");
  const stem = cleaned === "" || DEVICE.test(cleaned) ? "scene" : cleaned;
  return kind === "scene" ? `${stem}${ending}` : `${stem}-${kind}${ending}`;
}

/** The value of Content-Disposition: plain ASCII for old clients, and the exact name (RFC 6266, RFC 5987). attachment: only ever saved. */
export function contentDisposition(fileName: string, how: "inline" | "attachment" = "inline"): string {
  const ascii = fileName.normalize("NFKD").replaceAll(/[\u0300-\u036f]/g, "").replaceAll(/[^\x20-\x7e]+/g, "_").replaceAll(/["\\]/g, "-");
  const exact = encodeURIComponent(fileName.replaceAll(/\p{Cs}/gu, "\ufffd")).replaceAll(/['()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
  return `${how}; filename="${ascii}"; filename*=UTF-8''${exact}`;
}
