"""RunPod's management and job APIs: typed client, pure model, GPU catalogue. `resources` holds the Pulumi side."""
