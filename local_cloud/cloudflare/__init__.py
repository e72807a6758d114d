"""Cloudflare on one machine: the provider double and the runtime behind it.
Knows the published contracts only, never infra."""
