"""The demo: a network of two layers learns to read handwritten digits."""

from chainrule.demo.command import main

__all__ = ["main"]
