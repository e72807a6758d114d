// Texts of the files of a scene.
export const DOWNLOADS = {
  title: "Downloads",
  files: [
    { name: "scene.sog", words: "For the web and phones" },
    { name: "scene.spz", words: "Compact, for other viewers" },
    { name: "scene.ply", words: "Full data, for editors" },
    { name: "cameras.json", words: "Where each photo was taken" },
    { name: "report.json", words: "All numbers" },
  ],
  all: (size: string): string => `Download all as a zip (${size})`,
  saving: (done: number, all: number): string => `${done} of ${all} files downloaded…`,
  failed: "The files could not be downloaded.",
  failedHint: "Check your connection, then try again.",
} as const;
