"""`install`: chainrule under the names of other libraries, so that programs written for them run as they are.

``import torch``, ``import torch.nn as nn`` and ``from torch.utils.data import DataLoader`` then find chainrule's faces:
the same modules, registered under the foreign names as well.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from chainrule.errors import nearest

FACES: Final = {  # foreign name: the module that stands for it, and those of its submodules that are public
    "torch": ("chainrule", ("_C", "accelerator", "autograd", "backends", "cuda", "func", "linalg", "nn", "optim", "random",
                            "utils")),
    "mxnet": ("chainrule.mxnet", ("autograd", "ndarray", "random", "symbol")),
}
_installed: Final[list[str]] = []


def install(*names: str) -> None:
    """Register chainrule's faces under ``names`` ("torch", "mxnet"; by default both), until `uninstall`.

    Raises ImportError, and registers nothing, if the real package has been imported already; ValueError for a name that
    chainrule has no face for.
    """
    wanted = names or tuple(FACES)
    for name in wanted:
        _check(name)
    for name in wanted:
        if name not in _installed:
            sys.modules[name] = importlib.import_module(FACES[name][0])
            _register_shadowed(name)
            _installed.append(name)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def _register_shadowed(name: str) -> None:
    """Register the modules whose name in their package is that of something else, as `autograd.gradcheck`.

    Importing them later would put the module in its place, as it would not with the real package.
    """
    ours, public = FACES[name]
    for module in list(sys.modules):
        package, _, last = module.rpartition(".")
        rest = module.removeprefix(f"{ours}.")
        public_one = module.startswith(f"{ours}.") and rest.partition(".")[0] in public
        if public_one and getattr(sys.modules.get(package), last, None) is not sys.modules[module]:
            sys.modules[f"{name}.{rest}"] = sys.modules[module]


def uninstall(*names: str) -> None:
    """Take back what `install` registered (by default all of it)."""
    for name in names or tuple(_installed):
        if name in _installed:
            _installed.remove(name)
            for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
                del sys.modules[module]
    if not _installed and _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)


def installed() -> tuple[str, ...]:
    """The names that chainrule goes under at present."""
    return tuple(_installed)


def _check(name: str) -> None:
    if name not in FACES:
        raise ValueError(f"chainrule has no face for {name!r}; it has those of {' and '.join(FACES)}")
    real = sys.modules.get(name)
    if real is not None and name not in _installed:
        place = getattr(real, "__file__", None)
        raise ImportError(
            f"cannot install chainrule as {name!r}: the real {name} is already imported"
            + (f" (from {place})" if place else "")
            + ". Install before anything imports it: in a notebook, restart the kernel and do so in the first cell.",
            name=name,
        )


class _Finder:
    """Finds ``torch.nn`` in ``chainrule.nn``, while torch is one of the names installed."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        name, _, rest = fullname.partition(".")
        if name not in _installed:
            return None
        module, public = FACES[name]
        ours = f"{module}.{rest}"
        if rest.partition(".")[0] in public and importlib.util.find_spec(ours) is not None:
            alias: Any = _Alias(ours)  # no importlib.abc.Loader: importing that takes longer than half of chainrule
            return ModuleSpec(fullname, alias)
        if sys._getframe(2).f_globals.get("__name__") == "importlib.util":
            return None  # somebody only asks whether it is there
        near = nearest(rest, public)
        hint = f" The nearest: {', '.join(f'{name}.{n}' for n in near)}." if near else ""
        raise ModuleNotFoundError(
            f"No module named {fullname!r}: chainrule, which stands for {name} here, does not have it.{hint}", name=fullname
        )


class _Alias:
    """Loads a module of ours under another name."""

    def __init__(self, ours: str) -> None:
        self._ours = ours
        self._spec: Any = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._ours)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has put the alias's there


_FINDER: Final = _Finder()
