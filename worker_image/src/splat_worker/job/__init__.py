"""One running job: its stages, process, clock, checkpoints, price and report."""
