"""Commands of a running deployment: jobs, workers, spending, ceilings, scaling.
Tables and arithmetic are pure; commands.py declares, reads and prints."""
