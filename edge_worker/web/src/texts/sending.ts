// Texts of an upload in progress.
export const SENDING = {
  back: "Back to the scene",
} as const;
