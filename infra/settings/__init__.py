"""A stack's settings: model, presets, reading, reference page."""
