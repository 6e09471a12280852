"""The derivative table, a module per family. Importing this package fills `core.primitive.TABLE`."""

from chainrule.ops import composite, elementwise, indexing, linalg, reduction, scan, shaping, special

__all__ = ["composite", "elementwise", "indexing", "linalg", "reduction", "scan", "shaping", "special"]
