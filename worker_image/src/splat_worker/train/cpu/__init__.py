"""Training on a CPU: torch's autograd around numba kernels (kernels/) for rasterisation, loss and Adam."""
