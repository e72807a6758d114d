"""Cloudflare on one machine: the provider double and the runtime behind it.
Its only sources are published contracts; it never imports infra."""
