"""Structure from motion: from clean photos to cameras, points and a scene that stands upright."""
