"""torch.nn.modules: the modules, by the files they are written in; as in torch, all of nn's names are here as well."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from chainrule.errors import missing


def __getattr__(name: str) -> Any:
    nn = import_module("chainrule.nn")
    if name not in nn.__all__:
        raise missing(__name__, name, nn.__all__)
    return getattr(nn, name)
