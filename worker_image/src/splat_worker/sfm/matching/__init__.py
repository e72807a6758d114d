"""Which pairs of photos are compared, and their matches."""
