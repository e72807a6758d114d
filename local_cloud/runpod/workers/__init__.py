"""Workers: their records, their processes, their logs.
Never decides how many there are; autoscaler.py does."""
