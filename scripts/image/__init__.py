"""The worker image's size, layer by layer, as a registry holds it.
Measures only; building and pushing belong to Docker and to the stack."""
