"""The demo: a network of plain tensors learns to read handwritten digits, its training loop written out."""

from chainrule.demo.command import main

__all__ = ["main"]
