"""`splat smoke`: a tiny scene through the whole service, removed at the end."""
