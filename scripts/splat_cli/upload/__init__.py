"""Sends photos and clips to a deployment."""
