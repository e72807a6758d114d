// Texts of share links, of frames in other sites and of the player; of links to pass on and to sign in with.
import { plural } from "../lib/format.ts";

export const SHARING = {
  title: "Share",
  lead: "Anyone with a share link can view this scene, and nothing else.",
  expires: "Expires",
  in7Days: "in 7 days",
  in30Days: "in 30 days",
  never: "never",
  embedding: "Embedding",
  anySite: "on any site",
  someSites: "on these sites",
  noSite: "off",
  sites: "Sites, one per line",
  sitesExample: "https://example.org",
  create: "Create share link",
  link: "Share link",
  lost: (day: string): string => `Share link${day ? ` from ${day}` : ""}. Its address was shown only once.`,
  expiresOn: (day: string): string => `Expires ${day}`,
  neverExpires: "Never expires",
  views: (count: number): string => (count === 0 ? "Not opened yet" : count === 1 ? "Opened once" : `Opened ${count} times`),
  embeds: (sites: readonly string[] | null): string => (sites === null ? "No embedding" : sites.length === 0 ? "Embedding on any site" : `Embedding on ${plural(sites.length, "site")}`),
  qr: "QR code",
  embed: "Embed",
  embedCode: "Code for a page",
  revoke: "Revoke",
  revokeTitle: "Revoke this share link?",
  revokeText: "People who have it can no longer view the scene, and pages that embed it show it no longer. A revoked link cannot be restored.",
  revokeAction: "Revoke the link",
  keep: "Keep it",
  gone: "This share link no longer works.",
  goneLead: "It has expired or was revoked. Ask whoever sent it for a new one.",
  openInApp: (name: string): string => `Open “${name}” in a page of its own`,
} as const;

/** A link to pass on, and the one-time link that signs in another device. */
export const LINKS = {
  copy: "Copy",
  copied: "Copied",
  select: "Select it to copy",
  qr: "The link as a QR code",
  signIn: "Sign in another device",
  signInLead: "Scan the code with the other device, or send it the sign-in link. The link works once, within ten minutes, and gives the same access as yours.",
  signInLink: "Sign-in link",
  onlyHere: "This address works only on this computer. Other devices cannot reach it.",
  done: "Done",
} as const;
