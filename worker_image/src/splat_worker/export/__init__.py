"""A trained scene as files: PLY, its compressed forms, the poster and the cameras."""
