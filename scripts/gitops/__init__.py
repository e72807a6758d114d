"""What the workflows in .github do, as commands that run on any machine: plans, drift, review stacks, deployments, the
worker image and its checks. Only `github` knows GitHub."""
