"""Resources that act on a stack's own life: orphans, running jobs, generated secrets, earlier outputs."""
