"""The few compositions that tests compile; everything else runs uncompiled. One process compiles each at most once."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from tradewind.domain.layout import Capacity
from tradewind.engine.compose import Composition, Machine


@cache
def default_machine(compiled: bool = True) -> Machine:
    """The default composition: market maker, Python strategy, arbitrage."""
    return Machine(Composition(), compiled=compiled, cache=_folder())


@cache
def bars_machine(compiled: bool = True) -> Machine:
    """For tapes of bars: the compiled average cross and a Python strategy, 16 instruments."""
    return Machine(
        Composition(strategies=("sma_cross", "python"), capacity=Capacity(instruments=16)), compiled=compiled, cache=_folder()
    )


@cache
def small_machine() -> Machine:
    """An uncompiled market maker over eight instruments and short books, for thousands of short runs."""
    capacity = Capacity(instruments=8, levels=16, sources=32, orders=64, flight=16, resting=8, history=32)
    return Machine(Composition(strategies=("market_maker",), capacity=capacity), compiled=False, cache=_folder())


def _folder() -> Path | None:
    """Beside this run's own compile cache, so that no run reads what another left."""
    cache_dir = os.environ.get("NUMBA_CACHE_DIR")
    return Path(cache_dir) / "machines" if cache_dir else None
