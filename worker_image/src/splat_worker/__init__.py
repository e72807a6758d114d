"""Photos to a Gaussian-splat scene. Depends on the job contract and never imports infra."""

# Before pycolmap, which exports its own zlib: if the system's zlib loads later, some of its calls bind to pycolmap's,
# and compressing a checkpoint then frees memory it does not own.
import zlib  # noqa: F401

__version__ = "0.1.0"
