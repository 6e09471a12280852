"""Looks into computations: draws them."""
