"""Video clips as a source of photos: decoded in a process of its own, frames chosen, not sampled."""
