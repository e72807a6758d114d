"""The sample photo set: a still life modelled, painted, photographed and written down by this package.

A developer runs it once (`python -m scripts.render_samples`); nothing of the service may import it.
"""
