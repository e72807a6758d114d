"""Photos to a Gaussian-splat scene. Knows the job contract; never imports infra."""
