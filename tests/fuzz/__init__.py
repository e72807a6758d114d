"""Fuzzing from a corpus: each case is made from a seed and its number, so that it can be made again."""
