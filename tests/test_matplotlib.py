"""Tensors in matplotlib and OpenCV: what the lecture does with `.numpy()`, and what plotting functions do unasked."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as torch

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

A = torch.linspace(0.0, 6.0, 25)
B = torch.sin(A)
M = torch.rand(5, 6, generator=torch.Generator().manual_seed(0))
Z = torch.tensor(2.5)

PLOTS: dict[str, Callable[[], Any]] = {
    "plot": lambda: plt.plot(A, B),
    "plot of one": lambda: plt.plot(B),
    "plot of columns": lambda: plt.plot(M),
    "plot of 0-d tensors": lambda: plt.plot([Z, Z * 2]),
    "plot of whole numbers": lambda: plt.plot(torch.arange(5)),
    "plot of bfloat16": lambda: plt.plot(B.bfloat16()),
    "scatter": lambda: plt.scatter(A, B, c=B, s=B.abs() * 20),
    "hist": lambda: plt.hist(M.flatten(), bins=7),
    "imshow": lambda: plt.imshow(M),
    "imshow of a mask": lambda: plt.imshow(M > 0.5),
    "imshow of colours": lambda: plt.imshow(torch.rand(4, 4, 3)),
    "fill_between": lambda: plt.fill_between(A, B - 0.1, B + 0.1),
    "limits": lambda: (plt.xlim(torch.tensor(0.0), Z), plt.ylim(-Z, Z)),
    "lines at": lambda: (plt.axhline(Z), plt.axvline(x=Z)),
    "text at": lambda: (plt.text(Z, Z, "here"), plt.annotate("there", xy=(Z, Z))),
    "bar": lambda: plt.bar(torch.arange(3), torch.tensor([1.0, 2.0, 3.0])),
    "errorbar": lambda: plt.errorbar(A, B, yerr=B.abs()),
    "contour": lambda: plt.contour(M),
    "quiver": lambda: plt.quiver(M[:, :2], M[:, 2:4]),
    "pcolormesh": lambda: plt.pcolormesh(M),
    "boxplot": lambda: plt.boxplot(M),
    "vlines": lambda: plt.vlines(A, 0, B),
    "ticks": lambda: plt.xticks(torch.arange(4)),
    "under no_grad": lambda: unrecorded(lambda x: plt.plot(x, x * 2)),
}


def unrecorded(draw: Callable[[Any], Any]) -> Any:
    with torch.no_grad():
        return draw(torch.ones(3, requires_grad=True))


@pytest.fixture(autouse=True)
def _figure() -> Iterator[None]:
    plt.figure()
    yield
    plt.close("all")


@pytest.mark.parametrize("name", PLOTS)
def test_plots(name: str) -> None:
    PLOTS[name]()
    plt.savefig(io.BytesIO())


def test_what_is_plotted_is_what_is_in_the_tensor() -> None:
    (line,) = plt.plot(A, B)
    np.testing.assert_array_equal(line.get_xdata(), A.numpy())
    np.testing.assert_array_equal(line.get_ydata(), B.numpy())
    np.testing.assert_array_equal(plt.imshow(M).get_array(), M.numpy())
    counts, _, _ = plt.hist(M.flatten(), bins=7)
    np.testing.assert_array_equal(counts, np.histogram(M.numpy(), 7)[0])
    plt.xlim(0, Z)
    assert plt.gca().get_xlim() == (0, 2.5)


def test_a_tensor_that_requires_grad_is_refused_as_in_torch() -> None:
    x = torch.ones(3, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # matplotlib looks at a first element before, which torch warns of as well
        with pytest.raises(RuntimeError, match=r"Can't call numpy\(\) on Tensor that requires grad"):
            plt.plot(x, x * 2)


MADE: dict[str, Callable[[], Any]] = {
    "arange": lambda: torch.arange(4.0),
    "eye": lambda: torch.eye(3),
    "sum": lambda: torch.ones(2).sum(),
    "product": lambda: torch.ones(2) * 2,
    "cat": lambda: torch.cat([torch.ones(2), torch.ones(1)]),
    "comparison": lambda: torch.ones(3) > 0.5,
    "softmax": lambda: torch.softmax(torch.ones(3), 0),
    "rand": lambda: torch.rand(3),
    "maximum": lambda: torch.ones(3).max(),
    "sort": lambda: torch.sort(torch.rand(3)).values,
    "view": lambda: torch.eye(2).view(4),
    "gradient": lambda: gradient(),
    "detached": lambda: gradient().detach(),
    "matrix product": lambda: torch.eye(2) @ torch.eye(2),
    "from a list": lambda: torch.tensor([[1, 2], [3, 4]]),
    "bytes": lambda: (torch.rand(4, 4) * 255).byte(),
}


def gradient() -> Any:
    x = torch.ones(2, 3, requires_grad=True)
    (x.t() * 2).sum().backward()
    return x.grad


@pytest.mark.parametrize("name", MADE)
def test_numpy_gives_a_plain_array(name: str) -> None:
    array = MADE[name]().numpy()
    assert type(array) is np.ndarray
    assert array.flags.c_contiguous
    assert array.flags.writeable


def test_opencv_takes_the_arrays() -> None:
    cv2 = pytest.importorskip("cv2")
    colours = torch.rand(20, 30, 3).numpy()
    assert cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY).shape == (20, 30)
    assert cv2.resize((torch.rand(8, 8) * 255).byte().numpy(), (4, 4)).dtype == np.uint8
    blurred = torch.from_numpy(cv2.GaussianBlur(torch.rand(9, 9).double().numpy(), (3, 3), 0))
    assert blurred.shape == (9, 9)
    cv2.rectangle(colours, (1, 1), (5, 5), (1.0, 0.0, 0.0))  # writes into it
