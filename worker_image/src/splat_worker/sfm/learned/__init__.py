"""Learned features and matches, for the few photos in wide steps that SIFT does not connect."""
