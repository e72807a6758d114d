// Decodes a photo, or the shown frame of a clip, once, for its thumbnail and its sharpness.
// Never holds on to the full image: phones have little memory.
import { sharpness } from "./sharpness.ts";

const EXAMINED_PX = 512;
const THUMBNAIL_PX = 256;

export interface Picture {
  thumbnail: Blob;
  sharpness: number;
}

/** Null when this browser cannot decode the file. */
export async function picture(file: Blob | HTMLVideoElement): Promise<Picture | null> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return null;
  }
  try {
    const examined = draw(bitmap, EXAMINED_PX);
    const { data, width, height } = examined.context.getImageData(0, 0, examined.canvas.width, examined.canvas.height);
    const small = draw(bitmap, THUMBNAIL_PX);
    return { thumbnail: await toJpeg(small.canvas), sharpness: sharpness(data, width, height) };
  } finally {
    bitmap.close();
  }
}

function draw(bitmap: ImageBitmap, longSidePx: number): { canvas: HTMLCanvasElement; context: CanvasRenderingContext2D } {
  const scale = Math.min(1, longSidePx / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("This browser has no 2D canvas.");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return { canvas, context };
}

function toJpeg(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The thumbnail could not be encoded."))), "image/jpeg", 0.8);
  });
}
