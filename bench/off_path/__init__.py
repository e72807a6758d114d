"""Quality beside the path of the photos: drawn scenes with known cameras, and views that no photo shows.

The worker must not import it.
"""
