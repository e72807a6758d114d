"""The edit of a scene from the command line."""
