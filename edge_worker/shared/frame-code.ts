// The HTML that shows a shared scene in another page. The server gives it by oEmbed, and the app to copy.
// Pure.

/** Text as content or attribute value of HTML. */
export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

export const FRAME = { width: 960, height: 600 } as const;

/** url: the player's address; width and height: px. */
export function frameCode(url: string, title: string, { width, height }: { width: number; height: number } = FRAME): string {
  return `<iframe src="${escapeHtml(url)}" title="${escapeHtml(title)}" width="${width}" height="${height}" style="border:0;max-width:100%" loading="lazy" allow="fullscreen; xr-spatial-tracking"></iframe>`;
}
