"""Normalisation of each channel over the batch."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from chainrule.core.spec import DType
from chainrule.eager.tensor import wrap
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.modules.linear import new_parameter
from chainrule.nn.modules.module import Module


class BatchNorm(Module):
    """What the batch norms have in common: statistics of the batch while training, running ones in evaluation."""

    dims: ClassVar[tuple[int, ...]]
    _version = 2

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Any = None, dtype: DType | None = None, *,
                 bias: bool = True) -> None:  # fmt: skip
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        shape = (num_features,)
        self.register_parameter("weight", new_parameter(shape, device, dtype) if affine else None)
        self.register_parameter("bias", new_parameter(shape, device, dtype) if affine and bias else None)
        tracked = track_running_stats
        self.register_buffer("running_mean", new_parameter(shape, device, dtype).detach() if tracked else None)
        self.register_buffer("running_var", new_parameter(shape, device, dtype).detach() if tracked else None)
        self.register_buffer("num_batches_tracked", wrap(np.zeros((), np.int64)) if tracked else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Start the running statistics anew: mean 0, variance 1."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Start anew: no statistics, weight 1, bias 0."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Any) -> None:
        if input.ndim not in self.dims:
            wanted = " or ".join(f"{d}D" for d in self.dims)
            raise ValueError(f"expected {wanted} input (got {input.ndim}D input)")

    def forward(self, input: Any) -> Any:
        self._check_input_dim(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                momentum = 1 / self.num_batches_tracked.item()
        own = not self.training or self.track_running_stats
        by_batch = self.training or self.running_mean is None
        return F.batch_norm(input, self.running_mean if own else None, self.running_var if own else None, self.weight,
                            self.bias, by_batch, momentum, self.eps)  # fmt: skip

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any],
                              *rest: Any) -> None:  # fmt: skip
        key = prefix + "num_batches_tracked"
        if local_metadata.get("version", 1) < 2 and self.track_running_stats and key not in state_dict:
            counted = self.num_batches_tracked  # states of the first version did not count
            state_dict[key] = wrap(np.zeros((), np.int64)) if counted is None else counted
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(BatchNorm):
    """Normalisation of (n, channels) or (n, channels, length)."""

    dims = (2, 3)


class BatchNorm2d(BatchNorm):
    """Normalisation of (n, channels, height, width)."""

    dims = (4,)


class BatchNorm3d(BatchNorm):
    """Normalisation of (n, channels, depth, height, width)."""

    dims = (5,)
