"""Is this worker whole? From a shell (`python -m splat_worker.selftest`), or asked for as a job."""
