"""Fourier transforms along several axes, and with a length of their own, beside differences and NumPy."""

import numpy as np
import pytest

import chainrule as cr

RNG = np.random.default_rng(0)
CASES = {
    "fft": lambda x: np.fft.fft(x, 5, 0, "ortho"), "ifft": lambda x: np.fft.ifft(x, n=3), "rfft": lambda x: np.fft.rfft(x, 7),
    "irfft": lambda x: np.fft.irfft(x, 5), "fft2": np.fft.fft2, "ifft2": np.fft.ifft2, "rfft2": np.fft.rfft2,
    "irfft2": lambda x: np.fft.irfft2(x, s=(3, 5)), "fftn": lambda x: np.fft.fftn(x, axes=(0,)),
    "ifftn": lambda x: np.fft.ifftn(x, s=(2, 6), axes=(0, 1)), "rfftn": lambda x: np.fft.rfftn(x, norm="forward"),
    "irfftn": np.fft.irfftn, "fftshift": np.fft.fftshift, "ifftshift": lambda x: np.fft.ifftshift(x, axes=1),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name):
    transform = CASES[name]
    x, v = RNG.standard_normal((2, 3, 4))
    weights = RNG.standard_normal(transform(x).shape) + 1j * RNG.standard_normal(transform(x).shape)
    np.testing.assert_allclose(transform(cr.from_numpy(x)).numpy(), transform(x), atol=1e-12)

    def value(x):
        y = transform(x) * weights
        return np.sum(np.real(y) ** 3) + np.sum(np.imag(y))

    step = 1e-6
    numeric = (value(x + step * v) - value(x - step * v)) / (2 * step)
    assert np.sum(cr.grad(value)(x) * v) == pytest.approx(numeric, rel=1e-6)
    assert cr.jvp(value, (x,), (v,))[1] == pytest.approx(numeric, rel=1e-6)
    assert np.sum(cr.hvp(value)(x, v) * v) == pytest.approx(v.ravel() @ cr.hessian(value)(x).reshape(12, 12) @ v.ravel())


def test_a_filter_is_differentiated_through():
    x = RNG.standard_normal(16)
    response = np.exp(-np.arange(9.0))
    loss = lambda x: np.sum(np.fft.irfft(np.fft.rfft(x) * response, 16) ** 2)  # noqa: E731
    smooth = np.fft.irfft(np.fft.rfft(np.eye(16), axis=0) * response[:, None], 16, axis=0)
    np.testing.assert_allclose(cr.grad(loss)(x), 2 * smooth.T @ smooth @ x, rtol=1e-12)
