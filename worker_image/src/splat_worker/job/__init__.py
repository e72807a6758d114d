"""One job under way: its stages in their order, its process, clock, checkpoints, costs and report."""
