"""What a tensor says of its data besides the numbers: `Size`, `Device`, `Layout`."""

from __future__ import annotations

from typing import Any, ClassVar, Final, SupportsIndex

from chainrule.errors import shape_text


class Named(type):
    """The metaclass of what torch's users see by name: prints the class as torch does.

    Only the text is torch's. ``__module__`` stays where the class is, so that it can be pickled.
    """

    def __repr__(cls) -> str:
        name = vars(cls).get("torch_name")
        return super().__repr__() if name is None else f"<class '{name}'>"


class Size(tuple[int, ...], metaclass=Named):
    """A shape, printed as torch prints it.

    >>> Size((2, 3)), Size((2, 3)).numel()
    (torch.Size([2, 3]), 6)
    """

    __slots__ = ()
    torch_name: ClassVar[str] = "torch.Size"

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        n = 1
        for k in self:
            n *= k
        return n

    def __repr__(self) -> str:
        return f"torch.Size({shape_text(self)})"

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        return Size(part) if isinstance(key, slice) else part

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, tuple):
            raise TypeError(f"can only concatenate tuple (not {type(other).__name__}) to torch.Size")
        return Size(super().__add__(other))

    def __radd__(self, other: tuple[int, ...]) -> Any:
        return Size(other.__add__(self))

    def __mul__(self, times: SupportsIndex) -> Any:
        return Size(super().__mul__(times))

    __rmul__ = __mul__


class Layout(metaclass=Named):
    """How elements lie in memory; here always by strides."""

    __slots__ = ()
    torch_name: ClassVar[str] = "torch.layout"

    def __repr__(self) -> str:
        return "torch.strided"

    def __reduce__(self) -> str:
        return "STRIDED"


STRIDED: Final = Layout()


class MemoryFormat(metaclass=Named):
    """An order of axes in memory."""

    __slots__ = ("name",)
    torch_name: ClassVar[str] = "torch.memory_format"

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name.upper()

    def axes(self, ndim: int) -> tuple[int, ...]:
        """The axes from the slowest to the quickest. Raises RuntimeError for a number of axes that the format is not for."""
        if not self.name.startswith("channels_last"):
            return tuple(range(ndim))
        wanted = 5 if self.name.endswith("3d") else 4
        if ndim != wanted:
            raise RuntimeError(f"required rank {wanted} tensor to use {self.name} format")
        return (0, *range(2, ndim), 1)


PRESERVE_FORMAT: Final = MemoryFormat("preserve_format")
CONTIGUOUS_FORMAT: Final = MemoryFormat("contiguous_format")
CHANNELS_LAST: Final = MemoryFormat("channels_last")
CHANNELS_LAST_3D: Final = MemoryFormat("channels_last_3d")
DEVICE_TYPES: Final = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy",
    "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip


class Device(metaclass=Named):
    """The name of a place for data. Every place that torch knows has one; tensors are only ever on the CPU.

    >>> Device("cpu"), Device("cuda:1")
    (device(type='cpu'), device(type='cuda', index=1))
    """

    __slots__ = ("index", "type")
    torch_name: ClassVar[str] = "torch.device"
    type: str
    index: int | None

    def __init__(self, type: Any = "cpu", index: int | None = None) -> None:
        if isinstance(type, Device):
            self.type, self.index = type.type, type.index
            return
        if isinstance(type, int):
            raise RuntimeError("Cannot access accelerator device when none is available.")
        if not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' (position 1) must be str, not {type.__class__.__name__}")
        name, colon, number = type.partition(":")
        if name not in DEVICE_TYPES:
            raise RuntimeError(f"Expected one of {', '.join(DEVICE_TYPES)} device type at start of device string: {name}")
        if number and index is not None:
            raise RuntimeError(f"type (string) must not include an index because index was passed explicitly: {type}")
        if colon and not number.isdecimal():
            raise RuntimeError(f"Invalid device string: '{type}'")
        self.type = name
        self.index = int(number) if number else index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __repr__(self) -> str:
        return f"device(type='{self.type}'" + ("" if self.index is None else f", index={self.index}") + ")"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"


CPU: Final = Device("cpu")


def require_cpu(device: Any) -> None:
    """Raise as torch does without an accelerator, unless ``device`` (None, a name, a `Device`) is the CPU."""
    if device is None:
        return
    kind = Device(device).type
    if kind == "cuda":
        raise AssertionError("Torch not compiled with CUDA enabled")
    if kind != "cpu":
        raise RuntimeError(f"device {kind!r} is not available: chainrule computes on the CPU")
