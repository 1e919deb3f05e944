"""Digests of every function of `kernel.maths` over one sample, for comparing machines. As a script: prints them as JSON.

Its arguments: `compiled` or `twin`, and how many points.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

ONE_ARGUMENT = ("exp", "log", "log1p", "expm1", "tanh", "erf", "sqrt", "sigmoid", "norm_cdf", "floor")
EDGES = (
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 3.0, -3.0, 4.0, 1e-17, -1e-17, 1e-320, -1e-320, 5e-324, 2.2250738585072014e-308, 1e300,
    -1e300, 1.7976931348623157e308, 709.78, 709.79, -708.4, -745.13, -745.14, 38.5, -38.5, -38.7, 4503599627370496.5,
    -4503599627370495.5,
    9007199254740993.0, 0.9999999999999999, 1.0000000000000002, -0.9999999999999999, math.inf, -math.inf, math.nan, -math.nan,
)  # fmt: skip


def sample(n: int, seed: int) -> NDArray[np.float64]:
    """Shape (n,): edge cases, then random bit patterns (NaNs with payloads among them) and values of daily size in turn."""
    words = np.random.Generator(np.random.PCG64(seed)).integers(-(1 << 63), 1 << 63, n, dtype=np.int64)
    values = words.view(np.float64).copy()
    values[1::2] = (words[1::2] >> 11) / float(1 << 46)  # ±64
    values[3::8] /= 4096.0
    values[5::8] = 1.0 + values[5::8] / 4096.0
    values[: min(n, len(EDGES))] = EDGES[:n]
    return values


def compiled_results(n: int) -> dict[str, NDArray[np.float64]]:
    """Every function over the sample, through one compiled loop each."""
    import numba

    from tradewind.kernel import maths

    x, y = sample(n, 1), sample(n, 2)
    results = {}
    for name in ONE_ARGUMENT:
        results[name] = over(getattr(maths, name), numba)(x)
    power = maths.pow

    @numba.njit(error_model="numpy")
    def powers(a, b, out):  # type: ignore[no-untyped-def]
        for i in range(a.size):
            out[i] = power(a[i], b[i])

    results["pow"] = np.zeros(3 * n)
    powers(*pairs(x, y), results["pow"])
    return results


def over(function: Callable[..., Any], numba: Any) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
    """A compiled loop that puts a compiled function over an array."""

    @numba.njit(error_model="numpy")
    def loop(a, out):  # type: ignore[no-untyped-def]
        for i in range(a.size):
            out[i] = function(a[i])

    def call(a: NDArray[Any]) -> NDArray[np.float64]:
        out = np.zeros(a.size)
        loop(a, out)
        return out

    return call


def pairs(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bases and exponents: all against all kinds, all against whole numbers, positive bases near 1 against large ones."""
    with np.errstate(invalid="ignore"):
        mild = np.where(np.abs(x) < 64, 1.0 + np.abs(x) / 64, 1.5)
    whole = np.resize(np.arange(-9.0, 10.0), x.size)
    return np.concatenate([x, x, mild]), np.concatenate([y, whole, np.where(np.isfinite(y) & (np.abs(y) < 1e3), y, 7.5) * 16])


def twin_results(n: int) -> dict[str, NDArray[np.float64]]:
    """The same through plain Python; arguments are NumPy scalars, as fields of a record are."""
    from tradewind.kernel.twin import load

    maths = load("kernel.maths", frozenset())
    x, y = sample(n, 1), sample(n, 2)
    results = {name: np.array([getattr(maths, name)(v) for v in x]) for name in ONE_ARGUMENT}
    results["pow"] = np.array([maths.pow(a, b) for a, b in zip(*pairs(x, y), strict=True)])
    return results


def digests(results: dict[str, NDArray[np.float64]]) -> dict[str, str]:
    """One digest a function, of the results' bits."""
    return {name: hashlib.blake2b(values.tobytes(), digest_size=8).hexdigest() for name, values in results.items()}


def libm_probe() -> str:
    """A digest of libm's own results: it moves when libm is denied FMA, which shows that the denial worked."""
    values = [math.exp(v) + math.sin(v) for v in sample(40_000, 3).tolist() if abs(v) < 64]
    return hashlib.blake2b(np.array(values).tobytes(), digest_size=8).hexdigest()


if __name__ == "__main__":
    size = int(sys.argv[2])
    found = digests(compiled_results(size) if sys.argv[1] == "compiled" else twin_results(size))
    print(json.dumps({**found, "libm": libm_probe()}))
