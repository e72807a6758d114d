// Texts of the files of a scene.
export const DOWNLOADS = {
  title: "Downloads",
  files: [
    { name: "scene.sog", words: "For the web and phones" },
    { name: "scene.spz", words: "Compact, for other viewers" },
    { name: "scene.ply", words: "Full data, for editors" },
    { name: "scene.glb", words: "glTF with Gaussian splats, for 3D programs" },
    { name: "scene.html", words: "A page with the scene inside, works offline" },
    { name: "cameras.json", words: "Where each photo was taken" },
    { name: "report.json", words: "All numbers" },
  ],
  more: "Make .glb and .html too",
  moreLead: (time: string, price: string): string => `A 3D file and a page with the scene inside. Takes ${time} of a worker, ${price}.`,
  moreWithEdit: "The edit is applied to all files at the same time.",
  all: (size: string): string => `Download all as a zip (${size})`,
  saving: (done: number, all: number): string => `${done} of ${all} files downloaded…`,
  failed: "The files could not be downloaded.",
  failedHint: "Check your connection, then try again.",
} as const;
