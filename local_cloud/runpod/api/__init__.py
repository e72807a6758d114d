"""The HTTP surface: management API, job API, worker protocol, control API.
Unpacks requests, calls the platform, packs answers; holds no state."""
