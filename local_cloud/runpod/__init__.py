"""Stand-in of the RunPod cloud: management API v2, job API, worker protocol, autoscaler, billing.
Imports neither infra nor splat_worker: its only sources are published (docs/local-cloud-runpod.md)."""
