"""Whether a finished scene shows anything of its photos: the floor under its held-out figures.
Pure. A scene below it is a failed job, not a scene of low quality.

The floor is what a picture without any content gets. A sheet in each photo's mean colour has 11.8, 14.6 and 17.4 dB on
our three sets. Their scenes have 14.8 to 24.3 dB plain, and 16.7 to 25.2 dB after a colour fit per photo. SSIM alone
shows little: the same sheets have 0.27 to 0.61, scenes 0.49 to 0.76. Only an empty scene has nearly none (0.0004).
"""

from __future__ import annotations

from splat_worker.train.core.context import HeldOut

SSIM_MIN = 0.05
EXPLAINED_MIN_DB = 0.5
"""What a scene must gain over the mean colour after a colour fit, where it is below it as taken: 11 % of the photos'
variance. Photos of very different exposure are below it as taken and far above it after the fit; a scene that shows
nothing gains nothing by a fit."""


def below_floor(figures: HeldOut) -> str | None:
    """The reason why the scene is worthless, or None for a scene."""
    if figures.ssim < SSIM_MIN:
        return f"their SSIM is {figures.ssim:.3f}, and at least {SSIM_MIN} is needed"
    explained_db = figures.psnr_fitted_db - figures.psnr_flat_db
    if figures.psnr_db < figures.psnr_flat_db and explained_db < EXPLAINED_MIN_DB:
        return (
            f"their PSNR is {figures.psnr_db:.1f} dB, and a sheet in each photo's mean colour has "
            f"{figures.psnr_flat_db:.1f} dB"
        )
    return None
