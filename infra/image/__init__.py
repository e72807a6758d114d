"""The worker image: its registry and its labels."""
