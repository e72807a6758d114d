// What the metrics of a report mean. PSNR and SSIM are measured on held-out photos.
// Pure.

/** Below 20 dB a scene has blur and holes; from 30 dB it is hard to tell from a photo. */
export function psnrWords(psnrDb: number): string {
  if (psnrDb >= 30) return "very close";
  if (psnrDb >= 25) return "close";
  if (psnrDb >= 20) return "recognisable";
  return "rough";
}

export const PSNR_EXPLAINED =
  "A few photos are held out of training, and the scene is rendered from their viewpoints. PSNR compares the two pixel by pixel, in decibels: 20 is recognisable, 25 is close, and from 30 they are hard to tell apart.";

export const SSIM_EXPLAINED =
  "SSIM compares the same held-out photos more like the eye does, by edges and textures. 1 is identical, 0.9 is very similar.";

export const GAUSSIANS_EXPLAINED =
  "The scene is made of soft coloured ellipsoids called Gaussians. More of them show finer detail and make larger files.";
