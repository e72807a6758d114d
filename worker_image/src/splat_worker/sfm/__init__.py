"""Structure from motion: from clean photos to cameras, points and an upright scene."""
