// Whether an answer is the file that its address names, and not a page in its place.
// Pure. An address without a known extension is a page.

const TYPES: Readonly<Record<string, RegExp>> = {
  js: /^(text|application)\/javascript\b/,
  css: /^text\/css\b/,
  woff2: /^(font\/woff2|application\/font-woff2|application\/octet-stream)\b/,
  svg: /^image\/svg\+xml\b/,
  png: /^image\/png\b/,
  webmanifest: /^(application\/(manifest\+)?json|text\/plain|application\/octet-stream)\b/,
};
const PAGE = /^text\/html\b/;

/** path: of the address, without its query. contentType: null if the answer names none. */
export function isTheFile(path: string, contentType: string | null): boolean {
  const extension = /\.(\w+)$/.exec(path)?.[1] ?? "";
  return (TYPES[extension] ?? PAGE).test(contentType ?? "");
}
