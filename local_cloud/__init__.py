"""Stand-ins of the local stack. Knows the published contracts only; never imports infra or splat_worker."""
