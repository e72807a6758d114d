"""numba kernels for projection, rasterisation, loss, optimiser and neighbours.
Arrays in, arrays out; never imports torch.
"""
