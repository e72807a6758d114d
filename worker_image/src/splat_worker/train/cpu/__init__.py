"""The CPU side of the seam: numba kernels for projection, rasterisation, loss and the optimiser.
Arrays in, arrays out; never imports torch.
"""
