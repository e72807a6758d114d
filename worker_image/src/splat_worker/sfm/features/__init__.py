"""SIFT features of the photos, found by COLMAP or on a GPU."""
