"""The frame of a scene: which way is up, its centre and its size."""
