"""RunPod's objects as Pulumi resources, each beside its dynamic provider."""
