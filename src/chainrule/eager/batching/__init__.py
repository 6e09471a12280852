"""Batched mode: a tensor that stands for one sample, and holds all."""
