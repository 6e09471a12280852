"""torch.autograd.anomaly_mode: finding the call whose derivative went wrong."""

from __future__ import annotations

from typing import Any

from chainrule.eager.anomaly import detect_anomaly, set_detect_anomaly
from chainrule.errors import missing

__all__ = ["detect_anomaly", "set_detect_anomaly"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)
