"""What happens when NumPy, or `math`, asks a tensor for plain numbers while a function of arrays is differentiated.

The derivative would end there without a word: ``B = np.zeros(3); B[0] = t`` cannot be caught by any library but here.
"""

from __future__ import annotations

import sys
from typing import Any

from chainrule.eager import levels, notice

FIXES = """ Let the array be a tensor, which can be assigned to, or build it at once:
  B = np.zeros(n, like=t)     instead of  B = np.zeros(n)
  B = np.zeros_like(t)        where it is shaped like t
  np.stack([t0, t1, ...])     instead of assigning one element after the other"""


LIBRARIES = ("numpy", "scipy", "sklearn", "pandas")


class DerivativeLost(TypeError):
    """A value was about to leave the tensors, and its derivative would not have gone with it."""


def check(depth: int) -> None:
    """Raise TypeError if a function of arrays is differentiated; the code that asks is ``depth`` frames above this one."""
    if not levels.differentiating.get():
        return
    from opcode import opmap

    frame = sys._getframe(depth)
    storing = {opmap.get("STORE_SUBSCR"), opmap.get("STORE_SLICE")}
    line, library = source_line(frame), None
    while frame.f_back is not None and root_name(frame) in LIBRARIES:
        library, frame = frame, frame.f_back
    if library is not None:
        raise DerivativeLost(
            f"{source_line(frame)} calls {library.f_code.co_name} of {root_name(library)}, which takes the plain numbers out "
            "of a tensor, where their derivative would be lost. NumPy's functions, scipy.special's ufuncs and chainrule's "
            "own functions (logsumexp, softmax, log_softmax among them) take tensors; t.detach() says that no derivative is "
            "wanted."
        )
    if frame.f_code.co_code[frame.f_lasti] in storing:
        raise DerivativeLost(f"{line} stores a tensor in a plain NumPy array, where its derivative would be lost.{FIXES}")
    raise DerivativeLost(
        f"{line} takes the plain number out of a tensor, where its derivative would be lost. Use np.sin(t) instead of "
        "math.sin(t) or float(t), and np.stack([t0, t1]) instead of np.array([t0, t1]); t.detach() says that no derivative is "
        "wanted."
    )


def root_name(frame: Any) -> str:
    """The package whose code a frame runs."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def writes_to_argument() -> str:
    """What to say of a function of arrays that writes to what it was called with."""
    return (
        f"{source_line(notice.user_frame())} writes to an argument of the function that is differentiated, and so to the "
        "caller's array: write to a copy, x = x.copy()."
    )


def source_line(frame: Any) -> str:
    """Where a frame is, and what stands there."""
    import linecache

    name, number = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(name, number).strip()
    return f"{text!r} ({name}, line {number})" if text else f"line {number} of {name}"
