"""The sample photo set: a modelled and painted still life, photographed from known cameras.

Run by a developer only (`python -m samples.render`); the service must not import it.
"""
