"""The Pulumi program of the service: settings, components, providers.
Imports nothing of the worker, the edge worker or the local cloud."""
