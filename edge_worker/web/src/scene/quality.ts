// What the numbers of a report mean, in plain words.
// Pure; the words are about held-out photos, which the scene has not seen in training.

/** Bounds from what photo-real splat scenes reach: below 20 dB blurs and holes, from 30 dB hard to tell. */
export function psnrWords(psnrDb: number): string {
  if (psnrDb >= 30) return "very close";
  if (psnrDb >= 25) return "close";
  if (psnrDb >= 20) return "recognisable";
  return "rough";
}

export const PSNR_EXPLAINED =
  "Some photos are kept aside and the scene is asked to draw them. This says how near it comes, pixel by pixel, in decibels: 20 is recognisable, 25 close, from 30 on it is hard to tell apart.";

export const SSIM_EXPLAINED =
  "The same photos, compared as the eye does it: edges and textures rather than single pixels. 1 is identical, 0.9 very alike.";

export const GAUSSIANS_EXPLAINED =
  "The scene is made of soft coloured ellipsoids, called Gaussians. More of them show finer detail and make larger files.";
