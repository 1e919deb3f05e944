"""What every test may ask for: the repository, the recordings, a compile cache of this run alone."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest

REPO = Path(__file__).resolve().parent.parent

# "ci" draws the same examples every time and prints how to repeat a failing one; "dev" goes on looking where it stopped.
_COMMON = {"deadline": None, "print_blob": True, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("ci", derandomize=True, database=None, **_COMMON)
hypothesis.settings.register_profile("dev", **_COMMON)
_PROFILE = os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
hypothesis.settings.load_profile(_PROFILE)

_OWN_CACHE: str | None = None
if "NUMBA_CACHE_DIR" not in os.environ:
    # Numba reads this once, at import, and misses a change in a callee's file: a cache may not outlive the run that made it.
    # Workers of pytest-xdist inherit it.
    _OWN_CACHE = os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="tradewind-numba-")
# Composed machines lie beside it, so that every test of a worker finds what the first one compiled.
os.environ.setdefault("TRADEWIND_CACHE", str(Path(os.environ["NUMBA_CACHE_DIR"]) / "machines"))


def pytest_report_header() -> str:
    shared = _shared()
    return f"hypothesis profile: {_PROFILE}; recordings: {'found' if shared else 'missing, their tests are skipped'}"


def pytest_unconfigure() -> None:
    if _OWN_CACHE is not None:
        shutil.rmtree(_OWN_CACHE, ignore_errors=True)


def _shared() -> Path | None:
    named = os.environ.get("TRADEWIND_SHARED")
    folder = (Path(named) if named else REPO.parent / "shared") / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def repo() -> Path:
    """The root of the checkout."""
    return REPO


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings; the test is skipped where it is missing."""
    folder = _shared()
    if folder is None:
        pytest.skip("no recordings: set TRADEWIND_SHARED to the folder that holds data/")
    return folder


@pytest.fixture(scope="session")
def numba_cache() -> Path:
    """The folder Numba caches in during this run; hand it to subprocesses as NUMBA_CACHE_DIR."""
    return Path(os.environ["NUMBA_CACHE_DIR"])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the recordings is a `real` test, marked or not."""
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker("real")
