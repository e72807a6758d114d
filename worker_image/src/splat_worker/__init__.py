"""Photos to a Gaussian-splat scene. Knows the job contract; never imports infra."""

# Before pycolmap, wherever that is imported: it exports a zlib of its own, to which some calls of the system's are
# bound when that is loaded after it. Compressing then frees what it does not own, when a checkpoint is written for one.
import zlib  # noqa: F401

__version__ = "0.1.0"
