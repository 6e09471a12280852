"""Explicit graphs: values without data, and how they are computed."""
