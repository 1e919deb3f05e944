from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tradewind.kernel import maths
from tradewind.kernel.twin import load

from .digest import EDGES, ONE_ARGUMENT, compiled_results, digests, libm_probe, over
from .exact import ulps

TWIN: ModuleType = load("kernel.maths", frozenset())
SIZE = 200_000

# Bits are a promise: journals are replayed years later on other machines. Change these only together with the machine's version.
PINNED = {
    "exp": "5ca6b72d617a451e", "log": "e722c8886508c003", "log1p": "40b47decebc7167d", "expm1": "dbaea8d86dbf4ed9",
    "tanh": "151d232ca45fe59b", "erf": "bb5c52a35889b001", "sqrt": "6c8660a87a992889", "sigmoid": "e3db8982491fbf8a",
    "norm_cdf": "178f90f7da53084e", "floor": "5e628743d3e31fdf", "pow": "677bc45e9021d919",
}  # fmt: skip


def in_a_fresh_process(how: str, **environment: str) -> tuple[dict[str, str], str]:
    """Digests of the functions and libm's own, from another process; warnings are errors there."""
    script = Path(__file__).with_name("digest.py")
    source = Path(maths.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), how, str(SIZE)],
        env={**os.environ, "PYTHONPATH": str(source), **environment}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return found, found.pop("libm")


def test_compiled_bits_are_the_pinned_ones() -> None:
    assert digests(compiled_results(SIZE)) == PINNED


@pytest.mark.scenario
def test_uncompiled_bits_are_the_same() -> None:
    assert in_a_fresh_process("twin")[0] == PINNED


@pytest.mark.scenario
def test_bits_are_the_same_for_any_processor() -> None:
    assert in_a_fresh_process("compiled", NUMBA_CPU_NAME="generic")[0] == PINNED


@pytest.mark.scenario
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone has tunables")
def test_bits_are_the_same_where_libm_is_denied_fma() -> None:
    """The probe shows that the denial works: where this processor has FMA, libm's own bits move, and ours do not."""
    found, denied = in_a_fresh_process("compiled", GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-FMA", NUMBA_CPU_NAME="generic")
    assert found == PINNED
    if " fma " in Path("/proc/cpuinfo").read_text():
        assert denied != libm_probe()


def test_no_multiplication_is_fused_into_an_addition() -> None:
    def assembly(fastmath: bool) -> str:
        function = maths._growth

        @numba.njit(error_model="numpy", fastmath=fastmath)
        def loop(a, out):  # type: ignore[no-untyped-def]
            for i in range(a.size):
                out[i] = function(a[i]) * a[i] + a[i]

        loop(np.zeros(1), np.zeros(1))
        return "".join(loop.inspect_asm().values())

    assert "fmadd" not in assembly(False)
    if sys.platform.startswith("linux") and " fma " in Path("/proc/cpuinfo").read_text():
        assert "fmadd" in assembly(True)  # so the check above can fail


def _uniform(low: float, high: float) -> NDArray[np.float64]:
    return low + (high - low) * np.random.Generator(np.random.PCG64(7)).integers(0, 1 << 53, 600) / float(1 << 53)


def _small(least: float, largest: float) -> NDArray[np.float64]:
    sizes = 10.0 ** _uniform(least, largest)
    return sizes * np.resize([1.0, -1.0], sizes.size)


BOUNDS: list[tuple[str, float, NDArray[np.float64]]] = [
    ("exp", 0.53, np.concatenate([_uniform(-1, 1), _uniform(-708, 709), _small(-17, -1)])),
    ("exp", 1.0, _uniform(-745, -708)),
    ("log", 0.51, np.concatenate([_uniform(0.5, 2), 1 + _small(-16, -2), 10 ** _uniform(-323, 308), _uniform(0.99, 1.01)])),
    ("log1p", 0.51, np.concatenate([_uniform(-0.9, 2), _small(-20, -1), 10 ** _uniform(-5, 15), 10 ** _uniform(-15, -1) - 1])),
    ("expm1", 1.1, np.concatenate([_uniform(-1, 1), _uniform(-40, 40), _small(-20, -1), _uniform(40, 709), _uniform(-0.03, 0.03)])),
    ("tanh", 2.5, np.concatenate([_uniform(-1, 1), _uniform(-20, 20), _small(-10, -1), _uniform(0.4, 0.7), _uniform(0.01, 0.03)])),
    ("sigmoid", 2.5, np.concatenate([_uniform(-5, 5), _uniform(-708, 40)])),
    ("erf", 1.5, np.concatenate([_uniform(-1, 1), _uniform(-6, 6), _small(-10, -1), _uniform(0.8, 1.2)])),
    ("norm_cdf", 2.5, np.concatenate([_uniform(-8, 8), _uniform(-1, 0.5), _uniform(-37, -8)[::10]])),
]


@pytest.mark.parametrize(("name", "bound", "points"), BOUNDS)
def test_error_stays_below_its_bound(name: str, bound: float, points: NDArray[np.float64]) -> None:
    results = over(getattr(maths, name), numba)(points)
    worst = max((ulps(name, float(got), float(x)), float(x)) for got, x in zip(results, points, strict=True))
    assert worst[0] <= bound, f"{name}({worst[1]!r}) is off by {worst[0]:.3f} ulp"


@pytest.mark.parametrize(
    ("bound", "bases", "exponents"),
    [
        (0.55, _uniform(0.1, 10), _small(-1, 0.7)),
        (0.55, 1 + _small(-10, -2), _small(1, 4)[::-1]),
        (0.55, _uniform(1.0, 1.0078), _uniform(-90_000, 90_000)[::-1]),
        (0.55, _uniform(0.9961, 1.0), _uniform(-180_000, 180_000)[::-1]),
        (0.55, _uniform(1.0078, 1.03), _uniform(-24_000, 24_000)[::-1]),
        (0.55, 10 ** _uniform(-300, 300), _uniform(-1, 1)[::-1]),
        (0.55, _uniform(0.5, 2), _uniform(-700, 700)[::-1]),
        (1.0, _uniform(0.45, 0.55), _uniform(1025, 1070)[::-1]),
    ],
)
def test_error_of_a_power(bound: float, bases: NDArray[np.float64], exponents: NDArray[np.float64]) -> None:
    results = [TWIN.pow(x, y) for x, y in zip(bases, exponents, strict=True)]
    finite = [(p, float(x), float(y)) for p, x, y in zip(results, bases, exponents, strict=True) if 0.0 < p < math.inf]
    assert len(finite) > 300
    worst = max((ulps("pow", *each), each) for each in finite)
    assert worst[0] <= bound, worst


def _same(a: float, b: float) -> bool:
    return bits(a) == bits(b)


def bits(x: float) -> int:
    return int(np.float64(x).view(np.int64))


DEFINED: list[tuple[str, tuple[float, ...], float]] = [
    ("exp", (0.0,), 1.0), ("exp", (710.0,), math.inf), ("exp", (-746.0,), 0.0), ("exp", (math.inf,), math.inf),
    ("exp", (-math.inf,), 0.0), ("log", (1.0,), 0.0), ("log", (0.0,), -math.inf), ("log", (-0.0,), -math.inf),
    ("log", (-1.0,), math.nan), ("log", (math.inf,), math.inf), ("log", (-math.inf,), math.nan), ("log1p", (-1.0,), -math.inf),
    ("log1p", (-1.5,), math.nan), ("log1p", (math.inf,), math.inf), ("log1p", (-0.0,), -0.0), ("log1p", (5e-324,), 5e-324),
    ("expm1", (-math.inf,), -1.0), ("expm1", (math.inf,), math.inf), ("expm1", (1e-300,), 1e-300), ("tanh", (math.inf,), 1.0),
    ("tanh", (-math.inf,), -1.0), ("tanh", (1e-300,), 1e-300), ("erf", (math.inf,), 1.0), ("erf", (-math.inf,), -1.0),
    ("erf", (0.0,), 0.0), ("sqrt", (-1.0,), math.nan), ("sqrt", (4.0,), 2.0), ("sqrt", (math.inf,), math.inf),
    ("sigmoid", (0.0,), 0.5), ("sigmoid", (math.inf,), 1.0), ("sigmoid", (-math.inf,), 0.0), ("norm_cdf", (0.0,), 0.5),
    ("norm_cdf", (math.inf,), 1.0), ("norm_cdf", (-math.inf,), 0.0), ("floor", (-0.5,), -1.0), ("floor", (2.0,), 2.0),
    ("floor", (-math.inf,), -math.inf), ("floor", (1e300,), 1e300), ("pow", (math.nan, 0.0), 1.0),
    ("pow", (1.0, math.nan), 1.0), ("pow", (0.0, -1.0), math.inf), ("pow", (-0.0, -1.0), -math.inf), ("pow", (0.0, 2.0), 0.0),
    ("pow", (-2.0, 3.0), -8.0), ("pow", (-2.0, 2.0), 4.0), ("pow", (-2.0, 0.5), math.nan), ("pow", (2.0, math.inf), math.inf),
    ("pow", (0.5, math.inf), 0.0), ("pow", (-1.0, math.inf), 1.0), ("pow", (-math.inf, 3.0), -math.inf),
    ("pow", (2.0, 1024.0), math.inf), ("pow", (2.0, -1075.0), 0.0), ("pow", (10.0, 22.0), 1e22),
    ("pow", (1.0000000000000002, 1e300), math.inf), ("pow", (-1.0000000000000002, 1e300), math.inf),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "result"), DEFINED)
def test_what_mathematics_leaves_open_is_defined(name: str, arguments: tuple[float, ...], result: float) -> None:
    assert _same(getattr(TWIN, name)(*arguments), result)


@pytest.mark.parametrize("name", [n for n in ONE_ARGUMENT if n not in ("sigmoid", "norm_cdf")])
@pytest.mark.parametrize("x", EDGES)
def test_edges_agree_with_the_standard_library(name: str, x: float) -> None:
    try:
        expected: float = float(getattr(math, name)(x)) if math.isfinite(x) or name != "floor" else x
    except OverflowError:
        expected = math.inf
    except ValueError:
        expected = -math.inf if (name, abs(x)) == ("log", 0.0) or (name, x) == ("log1p", -1.0) else math.nan
    found = getattr(TWIN, name)(x)
    if math.isfinite(expected):
        assert abs(found - expected) <= 2 * math.ulp(expected)
    else:
        assert found == expected or (math.isnan(found) and math.isnan(expected))


@given(st.floats(), st.floats())
@example(-math.inf, -3.0)
@example(-0.0, 1e16)
@example(-8.0, 1 / 3)
@example(math.inf, -0.5)
def test_powers_agree_with_the_standard_library(x: float, y: float) -> None:
    try:
        expected: Any = math.pow(x, y)
    except OverflowError:
        expected = -math.inf if x < 0 and y % 2 == 1 else math.inf
    except ValueError:
        expected = math.copysign(math.inf, x if y % 2 == 1 else 1.0) if x == 0 else math.nan
    found = TWIN.pow(x, y)
    if math.isnan(expected) or math.isinf(expected) or expected == 0:
        assert _same(found, math.nan if math.isnan(expected) else expected)
    else:
        assert abs(found - expected) <= 2 * math.ulp(expected)


@given(st.floats(-700, 700), st.floats(1e-9, 1e-3))
def test_growing_functions_never_fall(x: float, step: float) -> None:
    for name in ("exp", "expm1", "tanh", "erf", "norm_cdf", "sigmoid"):
        below, above = (getattr(TWIN, name)(v) for v in (x, x + step))
        assert below <= above + 4 * math.ulp(above), name


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-1022, 1023))
def test_bits_there_and_back(x: float, exponent: int) -> None:
    assert _same(TWIN.of_bits(TWIN.bits_of(x)), x)
    assert TWIN.power_of_two(exponent) == 2.0**exponent
