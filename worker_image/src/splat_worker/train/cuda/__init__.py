"""Training on an NVIDIA GPU: a whole step in one call of our own kernels (kernels/), and the Python around it."""
