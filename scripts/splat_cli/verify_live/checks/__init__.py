"""The checks by stage. Each states how it observes the platform and what the stand-in gives."""
