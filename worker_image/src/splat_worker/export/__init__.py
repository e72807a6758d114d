"""Export of a trained scene: PLY, its compressed files, the poster and the cameras."""
