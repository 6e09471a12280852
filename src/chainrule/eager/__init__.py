"""Eager mode: the tensor, its tape, and the functions that record on it."""
