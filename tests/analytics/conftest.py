"""One compiled loop over all features of bars, shared by the tests of this folder."""

from __future__ import annotations

import pytest

from tradewind.engine.batch import Loop

from . import bars


@pytest.fixture(scope="session")
def loop() -> Loop:
    """Every feature of bars, compiled."""
    return Loop(bars.OF_BARS, cache=bars.cache())


@pytest.fixture(scope="session")
def slow_loop() -> Loop:
    """The same, uncompiled."""
    return Loop(bars.OF_BARS, compiled=False, cache=bars.cache())
