"""Validation of the photos: the type of each file, whether it is usable, and a clean copy of it."""
