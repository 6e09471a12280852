"""Lanes: the dtype of a tensor as one shared object, which tells the fast functions all they need."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from chainrule.core import spec
from chainrule.core.spec import DType
from chainrule.eager import modes


class Lane:
    """What tensors must share to be combined by the fast functions: shared object, equal lane.

    ``plain`` lanes (float32, float64) need no promotion and no conjugation; ``native`` ones may at least be
    moved about without looking at the dtype.
    """

    dual = False  # whether there is a tangent (`forward`)
    __slots__ = ("behind", "dtype", "inference", "native", "numpy", "plain", "scalars", "stale")

    def __init__(self, dtype: DType, *, inference: bool = False, stale: bool = False, behind: bool = False) -> None:
        self.dtype = dtype
        self.numpy = dtype.numpy
        self.inference = inference
        self.stale = stale  # views that were left without a history: no call with them takes a fast path
        self.behind = behind  # views whose history is to be found out when they are used
        self.native = not (inference or stale or behind)
        self.plain = self.native and dtype.name in ("float32", "float64")
        self.scalars: dict[float, np.ndarray] = {}  # Python numbers as 0-d arrays: NumPy takes these twice as fast


LANES: Final = {d.numpy: Lane(d) for d in spec.DTYPES}
INFERENCE_LANES: Final = {d.numpy: Lane(d, inference=True) for d in spec.DTYPES}
STALE_LANES: Final = {d.numpy: Lane(d, stale=True) for d in spec.DTYPES}
BEHIND_LANES: Final = {d.numpy: Lane(d, behind=True) for d in spec.DTYPES}


def own_lane(lane: Lane) -> Lane:
    """The lane of another tensor with the memory of one in ``lane``: without what is known of that one's history."""
    return (INFERENCE_LANES if lane.inference else LANES)[lane.numpy]


def lane_of(array: Any) -> Lane:
    """The lane of a raw array in the present mode."""
    mode = modes.state()
    lanes = LANES if mode is None or not mode.inference else INFERENCE_LANES
    lane = lanes.get(array.dtype)
    return lanes[spec.of_numpy(array.dtype).numpy] if lane is None else lane


def scalar(lane: Lane, number: float) -> np.ndarray:
    """``number`` as a 0-d array of the lane, remembered (but for zeros, since -0.0 == 0.0)."""
    try:
        array = np.asarray(number, lane.numpy)
    except RuntimeWarning:  # warnings are errors here, and the number overflows
        with np.errstate(all="ignore"):
            array = np.asarray(number, lane.numpy)
    if number != 0 and len(lane.scalars) < 1024:
        lane.scalars[number] = array
    return array


def remembered(lane: Lane, number: float) -> np.ndarray:
    """`scalar`, looked up first."""
    array = lane.scalars.get(number)
    return scalar(lane, number) if array is None else array
