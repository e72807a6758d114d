"""Shapes: meshes, the room, and the things on the table."""
