"""One ComponentResource per room: image, endpoint, storage, edge.
Explicit arguments only; none reads configuration."""
