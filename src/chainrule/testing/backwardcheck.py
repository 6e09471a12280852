"""The part of `gradcheck` about backward passes: what they say beside central differences, in torch's words.

The Jacobian of an output y with respect to an input x has a row per element of x and a column per element of y:
J[i, j] = dy_j / dx_i. For a complex x it is d/d(re x) + i d/d(im x), and a complex y is checked as its real and its
imaginary part, one after the other.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.eager import engine
from chainrule.eager.refusing import undefined
from chainrule.eager.tensor import Tensor, wrap


class GradcheckError(RuntimeError):
    """A derivative that is not what the differences say."""


class Settings(NamedTuple):
    """How to compare."""

    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    check_grad_dtypes: bool
    fast: bool
    masked: bool


def as_tuple(x: Any) -> tuple[Any, ...]:
    """A tuple or list as a tuple; anything else in one."""
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def differentiable(outputs: Any) -> tuple[Tensor, ...]:
    """The outputs that require grad."""
    return tuple(y for y in as_tuple(outputs) if y.requires_grad)


def floats(outputs: Any) -> list[Tensor]:
    """The outputs that could have a derivative."""
    return [y for y in as_tuple(outputs) if isinstance(y, Tensor) and y.dtype.differentiable]


class Check:
    """One function at one point, checked."""

    def __init__(self, func: Callable[..., Any], inputs: tuple[Any, ...], settings: Settings) -> None:
        self.func = func
        self.inputs = inputs
        self.settings = settings
        self.places = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
        self.checked: list[Tensor] = [inputs[i] for i in self.places]

    def run(self, check_undefined: bool) -> None:
        """All checks of backward passes, in torch's order."""
        result = self.func(*self.inputs)
        outputs = differentiable(result)
        complex_ones = [i for i, y in enumerate(outputs) if y.is_complex()]
        if any(isinstance(y, Tensor) and y.is_complex() for y in as_tuple(result)):
            for part in ("imaginary", "real"):
                self.compare(parts_of(self.func, part), complex_ones, part)
        else:
            self.compare(self.func, complex_ones, "")
        self.check_linear_in_cotangent(outputs)
        if check_undefined:
            self.check_undefined()

    def check_inputs(self) -> None:
        """ValueError or RuntimeError for inputs that cannot be checked, a warning for those that hardly can."""
        for i, x in zip(self.places, self.checked, strict=True):
            if x.dtype.itemsize < (16 if x.is_complex() else 8):
                warnings.warn(
                    f"Input #{i} requires gradient and is not a double precision floating point or complex. This check will "
                    "likely fail if all the inputs are not of double precision floating point or complex. ",
                    stacklevel=4,
                )
            if any(step == 0 and n > 1 for step, n in zip(x.array.strides, x.array.shape, strict=True)):
                raise RuntimeError(
                    f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are non-overlapping "
                    "to be able to compute the numerical gradients correctly. You should call .contiguous on the input before "
                    "passing it to gradcheck."
                )
        if not self.checked:
            raise ValueError(
                "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
            )

    # The two sides of the comparison

    def numeric(self, func: Callable[..., Any], x: Tensor, direction: np.ndarray, where: Any = None) -> list[np.ndarray]:
        """The derivatives of all outputs along ``direction``, an array shaped like ``x``."""
        values = x.array
        before = values.copy()
        eps = self.settings.eps
        try:
            values[...] = before - eps * direction
            behind = [y.array.copy() for y in floats(func(*self.inputs))]
            values[...] = before + eps * direction
            ahead = [y.array.copy() for y in floats(func(*self.inputs))]
        finally:
            values[...] = before
        place = "" if where is None else f"on index {where} "
        for a, b in zip(map(wrap, ahead), map(wrap, behind), strict=True):
            for what, of_a, of_b in (("shape", a.shape, b.shape), ("dtype", a.dtype, b.dtype)):
                if of_a != of_b:
                    raise AssertionError(
                        f"Expected `func` to return outputs with the same {what} when inputs are perturbed {place}by {eps}, "
                        f"but got: {what}s {of_b} and {of_a}."
                    )
        return [np.asarray((a - b) / (2 * eps)) for a, b in zip(ahead, behind, strict=True)]

    def numeric_jacobian(self, func: Callable[..., Any], x: Tensor) -> list[np.ndarray]:
        """The Jacobians of all outputs with respect to ``x``."""
        rows: list[list[np.ndarray]] = []
        for index in np.ndindex(x.array.shape):
            unit = np.zeros_like(x.array)
            unit[index] = 1
            row = self.numeric(func, x, unit, index)
            if x.is_complex():
                unit[index] = 1j
                row = [a + 1j * b for a, b in zip(row, self.numeric(func, x, unit, index), strict=True)]
            rows.append(row)
        sizes = [y.array.size for y in floats(func(*self.inputs))]
        return [
            np.array([row[k].reshape(-1) for row in rows]).astype(x.array.dtype)
            if rows
            else np.zeros((0, size), x.array.dtype)
            for k, size in enumerate(sizes)
        ]

    def pulled(self, y: Tensor, cotangents: Sequence[np.ndarray]) -> list[np.ndarray]:
        """For each input the gradients of ``y`` for these cotangents, as columns; they have to be the same twice."""
        first, second = (
            [engine.grad(y, self.checked, wrap(g), retain_graph=True, allow_unused=True) for g in cotangents] for _ in range(2)
        )
        found = []
        wrong_type = wrong_size = differs = False
        for i, x in enumerate(self.checked):
            columns = []
            for one, other in zip(first, second, strict=True):
                g, again = one[i], other[i]
                wrong_size |= g is not None and g.array.shape != x.array.shape
                wrong_type |= g is not None and g.dtype is not x.dtype
                column = np.zeros(x.array.size, x.array.dtype) if g is None else g.array.reshape(-1)
                repeated = np.zeros(x.array.size, x.array.dtype) if again is None else again.array.reshape(-1)
                differs |= column.size == repeated.size and bool((np.abs(column - repeated) > self.settings.nondet_tol).any())
                columns.append(column)
            found.append(np.array(columns).reshape(len(columns), x.array.size).T)
        if wrong_type and self.settings.check_grad_dtypes:
            raise GradcheckError("Gradient has dtype mismatch")
        if wrong_size:
            raise GradcheckError("Analytical gradient has incorrect size")
        if differs:
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives "
                "different values, although analytical gradient matches numerical gradient."
                f"The tolerance for nondeterminism was {self.settings.nondet_tol}."
            )
        return found

    def jacobian(self, y: Tensor) -> list[np.ndarray]:
        """The Jacobians of ``y`` with respect to the checked inputs, from backward passes."""
        units = np.eye(y.array.size, dtype=y.array.dtype)
        return self.pulled(y, [unit.reshape(y.array.shape) for unit in units])

    # The comparison

    def compare(self, func: Callable[..., Any], complex_ones: list[int], part: str) -> None:
        """Compare the two sides, element by element or by one projection."""
        result = func(*self.inputs)
        outputs = differentiable(result)
        if not outputs:
            self.check_constant(func)
        elif self.settings.fast:
            self.compare_projections(func, result, complex_ones, part)
        else:
            kept = [k for k, y in enumerate(floats(result)) if y.requires_grad]
            numeric = [self.numeric_jacobian(func, x) for x in self.checked]
            for i, y in enumerate(outputs):
                for j, analytic in enumerate(self.jacobian(y)):
                    self.judge(analytic, numeric[j][kept[i]], self.settings.atol, mismatch(i, j, complex_ones, part))

    def judge(self, analytic: Any, numeric: Any, atol: float, message: Callable[[Any, Any], str]) -> None:
        """GradcheckError with this message unless the two agree."""
        if analytic.shape != numeric.shape or not np.allclose(analytic, numeric, self.settings.rtol, atol):
            raise GradcheckError(message(wrap(np.asarray(analytic)), wrap(np.asarray(numeric))))

    def check_constant(self, func: Callable[..., Any]) -> None:
        """Without outputs that require grad, every difference has to be zero."""
        for x in self.checked:
            for jacobian in self.numeric_jacobian(func, x):
                if jacobian.any():
                    raise GradcheckError("Numerical gradient for function expected to be zero")

    def compare_projections(self, func: Callable[..., Any], result: Any, complex_ones: list[int], part: str) -> None:
        """Compare v J u for random u and v of length 1 without negative elements."""
        rng = np.random.default_rng(0)
        outputs = differentiable(result)
        kept = [k for k, y in enumerate(floats(result)) if y.requires_grad]
        vs = [unit_vector(rng, y.array.size).astype(y.array.dtype) for y in outputs]
        pulled = [self.pulled(y, [v.reshape(y.array.shape)]) for y, v in zip(outputs, vs, strict=True)]
        for j, x in enumerate(self.checked):
            u = unit_vector(rng, x.array.size)
            w = unit_vector(rng, x.array.size) if x.is_complex() else None
            along = self.numeric(func, x, u.reshape(x.array.shape))
            across = [] if w is None else self.numeric(func, x, 1j * w.reshape(x.array.shape))
            for i, v in enumerate(vs):
                column = pulled[i][j][:, 0]
                numeric = np.asarray(along[kept[i]].reshape(-1) @ v)
                analytic = np.asarray(column.real @ u)
                size = u.sum()
                if w is not None:
                    numeric = numeric + 1j * (across[kept[i]].reshape(-1) @ v)
                    analytic = analytic + 1j * (column.imag @ w)
                    size += w.sum()
                told = self.told_slowly(mismatch(i, j, complex_ones, part), func, i, kept[i], j)
                self.judge(analytic, numeric, self.settings.atol * abs(size * v.sum()), told)

    def told_slowly(
        self, told: Callable[[Any, Any], str], func: Callable[..., Any], i: int, kept: int, j: int
    ) -> Callable[[Any, Any], str]:
        """The message ``told``, and what the element by element comparison shows."""
        return lambda analytic, numeric: told(analytic, numeric) + self.slowly(func, i, kept, j)

    def slowly(self, func: Callable[..., Any], i: int, kept: int, j: int) -> str:
        """What the element by element comparison of output ``i`` and input ``j`` shows."""
        numeric = self.numeric_jacobian(func, self.checked[j])[kept]
        analytic = self.jacobian(differentiable(func(*self.inputs))[i])[j]
        text = (
            "\nThe above quantities relating the numerical and analytical jacobians are computed \n"
            "in fast mode. See: https://github.com/pytorch/pytorch/issues/53876 for more background \n"
            "about fast mode. Below, we recompute numerical and analytical jacobians in slow mode:\n\n"
            f"Numerical:\n {wrap(numeric)}\nAnalytical:\n{wrap(analytic)}\n\n"
            f"The max per-element difference (slow mode) is: {np.abs(numeric - analytic).max()}.\n"
        )
        if np.allclose(analytic, numeric, self.settings.rtol, self.settings.atol):
            text += (
                "Fast gradcheck failed but element-wise differences are small. This means that the\n"
                "test might've passed in slow_mode!"
            )
        return text

    # What any backward pass has to obey

    def check_linear_in_cotangent(self, outputs: tuple[Tensor, ...]) -> None:
        """For zero cotangents all gradients have to be zero."""
        if not outputs:
            return
        zeros = [wrap(np.zeros_like(y.array)) for y in outputs]
        for g, x in zip(engine.grad(outputs, self.checked, zeros, allow_unused=True), self.checked, strict=True):
            if g is None:
                continue
            if g.array.any() if not self.settings.masked else not np.allclose(g.array, 0):
                raise GradcheckError("backward not multiplied by grad_output")
            if g.dtype is not x.dtype:
                raise GradcheckError("grad is incorrect type")
            if g.array.shape != x.array.shape:
                raise GradcheckError("grad is incorrect size")

    def check_undefined(self) -> None:
        """Backward functions have to cope with outputs that nothing came back for, all of them or one."""
        count = len(differentiable(self.func(*self.inputs)))
        everything = list(range(count))
        for absent in [everything, *([k] for k in everything if count > 1)]:
            outputs = [undefined(y) if k in absent else y for k, y in enumerate(differentiable(self.func(*self.inputs)))]
            zeros = [wrap(np.zeros_like(y.array)) for y in outputs]
            if not outputs:
                continue
            try:
                found = engine.grad(outputs, self.checked, zeros, allow_unused=True)
            except RuntimeError as fault:
                warn_of_undefined()
                raise GradcheckError(
                    'Expected backward function to handle undefined output grads. Please look at "Notes about undefined '
                    'output gradients" in "tools/autograd/derivatives.yaml"'
                ) from fault
            if any(g is not None and g.array.any() for g in found):
                warn_of_undefined()
                raise GradcheckError(
                    "Expected all input grads to be undefined or zero when all output grads are undefined or zero. Please "
                    'look at "Notes about undefined output gradients" in "tools/autograd/derivatives.yaml"'
                )


def warn_of_undefined() -> None:
    """torch's hint for functions written before this was checked."""
    warnings.warn(
        "Backwards compatibility: New undefined gradient support checking feature is enabled by default, but it may break "
        "existing callers of this function. If this is true for you, you can call this function with "
        '"check_undefined_grad=False" to disable the feature',
        stacklevel=5,
    )


def unit_vector(rng: np.random.Generator, n: int) -> np.ndarray:
    """A random direction without negative elements."""
    v = rng.uniform(size=n)
    return v / np.linalg.norm(v) if n else v


def parts_of(func: Callable[..., Any], part: str) -> Callable[..., Any]:
    """``func`` with its complex outputs reduced to their real or imaginary parts."""

    def parted(*args: Any) -> tuple[Any, ...]:
        return tuple(
            (y.real if part == "real" else y.imag) if isinstance(y, Tensor) and y.is_complex() else y
            for y in as_tuple(func(*args))
        )

    return parted


def mismatch(i: int, j: int, complex_ones: list[int], part: str) -> Callable[[Any, Any], str]:
    """The message for Jacobians of output ``i`` and input ``j`` that differ."""
    prefix = f"While considering the {part} part of complex outputs only, " if i in complex_ones else ""
    return lambda analytic, numeric: mismatch_text(f"{prefix}Jacobian", i, j, analytic, numeric)


def mismatch_text(what: str, i: int, j: int, analytic: Any, numeric: Any) -> str:
    """The words for a derivative of output ``i`` by input ``j`` that is not what the differences say."""
    return f"{what} mismatch for output {i:d} with respect to input {j:d},\nnumerical:{numeric}\nanalytical:{analytic}\n"
