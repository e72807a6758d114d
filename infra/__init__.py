"""The Pulumi program: settings, components and the RunPod provider. Imports nothing else of ours."""
