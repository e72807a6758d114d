// Texts of pages that consist of text only: signed out, offline, missing, failed.
export const NOTICES = {
  noPage: "This page could not be loaded.",
  noPageLead: "Check your connection, then reload the page.",
} as const;
