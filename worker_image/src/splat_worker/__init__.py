"""Photos to a Gaussian-splat scene. Knows the job contract; never imports infra."""

__version__ = "0.1.0"
