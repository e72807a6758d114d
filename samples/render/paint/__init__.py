"""Textures: noise, a brush, and the paint of each group of things."""
