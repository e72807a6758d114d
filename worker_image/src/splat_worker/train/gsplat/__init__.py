"""The GPU's training on gsplat's kernels: the reference for ours, chosen with SPLAT_BACKEND=gsplat.
gsplat is an optional package of the checkout; the worker image does not have it.
"""
