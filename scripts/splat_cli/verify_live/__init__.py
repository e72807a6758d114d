"""`splat verify-live`: compares the real platforms with what the stand-ins assume, and removes everything again."""
