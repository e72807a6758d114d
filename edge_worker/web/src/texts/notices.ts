// Texts of pages that consist of text only: signed out, offline, missing, failed.
export const NOTICES = {
  noPage: "This page could not be loaded.",
  noPageLead: "Check your connection, then reload the page.",
} as const;

/** For visitors without a session: what this is, and the way in. */
export const SIGNED_OUT = {
  title: "Photos in, a 3D scene out",
  lead: "Photograph something from every side. This service turns the photos into a scene that you can turn, share and download.",
  expired: "This sign-in link no longer works.",
  expiredLead: "A sign-in link works once, within ten minutes. Ask for a new one.",
  what: [
    { title: "Choose photos", words: "20 to 60 photos from a phone work well. The time and the price are shown before anything starts." },
    { title: "Watch it take shape", words: "The cameras appear as they are found, then a preview that gets sharper." },
    { title: "Keep and share it", words: "Share a link, embed the scene in a site, or download its files. Your photos stay in your team's own storage." },
  ],
  in: "You are not signed in",
  ask: "There is no password. Ask whoever runs this service for a sign-in link. It works once, within ten minutes.",
  own: "You run this service?",
  ownLead: "Run this command in the repository folder. It opens the app and signs this browser in.",
} as const;
