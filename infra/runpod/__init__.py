"""RunPod's management API v2 as typed client, pure model, GPU catalogue and dynamic providers.
Only `provider` may import Pulumi."""
