"""A job that applies an edit to every file of a scene. It trains nothing and needs no GPU."""
