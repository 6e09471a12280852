"""Warnings that point at the user's line, however many of chainrule's frames lie between."""

from __future__ import annotations

import sys
import warnings
from types import FrameType
from typing import Final

REAL_PART: Final = "Casting complex values to real discards the imaginary part"


def notice(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of ``message`` at the nearest line that is not chainrule's own."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and ours(frame):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def user_frame() -> FrameType:
    """The nearest frame that is not chainrule's own."""
    frame = sys._getframe(1)
    while frame.f_back is not None and ours(frame):
        frame = frame.f_back
    return frame


def ours(frame: FrameType) -> bool:
    module: str | None = frame.f_globals.get("__name__")
    if module is None:
        return frame.f_code.co_filename.startswith("<chainrule")  # a specialised function
    return module == "chainrule" or module.startswith("chainrule.")
