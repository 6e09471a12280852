"""Convolutions as modules."""

from __future__ import annotations

from typing import Any, ClassVar

from chainrule.core.spec import DType
from chainrule.nn import functional as F
from chainrule.nn.functional.conv import convolve, per_axis
from chainrule.nn.modules.linear import new_parameter, uniform_by_fan
from chainrule.nn.modules.module import Module

PADDINGS = ("valid", "same")
MODES = ("zeros", "reflect", "replicate", "circular")


class Conv(Module):
    """What the convolutions have in common; ``d`` is the number of spatial axes."""

    d: ClassVar[int]

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
                 dtype: DType | None = None) -> None:  # fmt: skip
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        if padding_mode not in MODES:
            raise ValueError(f"padding_mode must be one of {set(MODES)}, but got padding_mode='{padding_mode}'")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = per_axis(kernel_size, self.d, "kernel_size")
        self.stride = per_axis(stride, self.d, "stride")
        self.dilation = per_axis(dilation, self.d, "dilation")
        self.padding = self._checked_padding(padding)
        self.transposed = False
        self.output_padding = (0,) * self.d
        self.groups = groups
        self.padding_mode = padding_mode
        self.weight = new_parameter((out_channels, in_channels // groups, *self.kernel_size), device, dtype)
        self.register_parameter("bias", new_parameter((out_channels,), device, dtype) if bias else None)
        self.reset_parameters()

    def _checked_padding(self, padding: Any) -> Any:
        if not isinstance(padding, str):
            return per_axis(padding, self.d, "padding")
        if padding not in PADDINGS:
            raise ValueError(f"Invalid padding string '{padding}', should be one of {set(PADDINGS)}")
        if padding == "same" and any(s != 1 for s in self.stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
        return padding

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        uniform_by_fan(self.weight, self.bias)

    def forward(self, input: Any) -> Any:
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._around(), self.padding_mode), 0
        return convolve(self.d, input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _around(self) -> list[int]:
        """The padding as `F.pad` takes it, the last axis first."""
        around: list[int] = []
        for axis in reversed(range(self.d)):
            if self.padding == "same":
                total = self.dilation[axis] * (self.kernel_size[axis] - 1)
                around += [total // 2, total - total // 2]
            else:
                around += [0, 0] if self.padding == "valid" else [self.padding[axis]] * 2
        return around

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        if self.padding != (0,) * self.d:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * self.d:
            parts.append(f"dilation={self.dilation}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class Conv1d(Conv):
    """Convolution of (n, in_channels, length)."""

    d = 1


class Conv2d(Conv):
    """Convolution of (n, in_channels, height, width).

    >>> Conv2d(1, 8, 3, padding=1)
    Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """

    d = 2


class Conv3d(Conv):
    """Convolution of (n, in_channels, depth, height, width)."""

    d = 3
