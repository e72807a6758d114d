"""Training on an NVIDIA GPU: our own kernels (kernels/), their Python side, and the fallback to gsplat's.
Loaded only where a CUDA device is used.
"""
