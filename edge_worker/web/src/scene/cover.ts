// The picture of a scene in two sizes, as the server takes it: JPEG, which every browser writes.
const LARGE = { px: 960, quality: 0.82 };
const SMALL = { px: 400, quality: 0.72 };

/** In base64. */
export function coverOf(picture: HTMLCanvasElement): { image: string; thumbnail: string } {
  return { image: encoded(picture, LARGE), thumbnail: encoded(picture, SMALL) };
}

function encoded(picture: HTMLCanvasElement, { px, quality }: typeof LARGE): string {
  const scale = Math.min(1, px / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser has no 2D canvas.");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", quality).replace(/^[^,]*,/, "");
}
