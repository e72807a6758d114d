"""From a scene to a photo file: Mitsuba, the denoiser, the film curve."""
