"""How the edge carries load (python -m bench.load)."""
