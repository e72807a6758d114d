"""One worker: its record, environment, process, log, and the orphans that a killed stand-in left.
How many workers there are is the fleet's decision."""
