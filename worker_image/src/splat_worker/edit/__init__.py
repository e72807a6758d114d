"""Edits of a trained scene: crop, remove floaters, turn upright. Pure functions on Gaussians, no training."""
