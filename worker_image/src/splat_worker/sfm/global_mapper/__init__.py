"""Places all photos of a match database at once, as batched torch in float64 on any device."""
