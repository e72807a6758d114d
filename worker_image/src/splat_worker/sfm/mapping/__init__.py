"""Camera poses from verified matches, and the check that a model is plausible."""
