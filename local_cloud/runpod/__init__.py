"""Stand-in of the RunPod cloud: management API v2, job API, worker protocol, autoscaler, billing.
Never imports infra or splat_worker: it knows only what RunPod publishes (docs/local-cloud-runpod.md)."""
