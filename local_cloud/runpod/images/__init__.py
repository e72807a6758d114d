"""The registry and the container runtime: which images exist and how a worker of one starts.
Starts nothing itself."""
