"""Small parts that several rooms use. Standard library only: some callers run without an environment."""
