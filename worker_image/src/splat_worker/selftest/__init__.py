"""Checks that a worker is complete, from a shell (`python -m splat_worker.selftest`) or as a job."""
