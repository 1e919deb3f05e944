"""Whether this machine and this configuration can run Tradewind, what is taken for granted, and which folders are used."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tradewind.domain.errors import TradewindError
from tradewind.fabric import series
from tradewind.venues import plugins
from tradewind.venues.adapter import Fact
from tradewind.venues.binance.facts import SPOT_FACTS, USDM_FACTS
from tradewind.venues.coinbase.facts import FACTS as COINBASE_FACTS
from tradewind.venues.facts import NAMES, guesses, shown
from tradewind.venues.kraken.facts import FACTS as KRAKEN_FACTS

from .config import FILE_NAME, Loaded
from .config.units import duration
from .fees import unwitnessed, volume_text
from .options import Configured, DoctorOptions, configured
from .places import folders

OK, WARN, BAD = "ok", "warn", "bad"
NEED_BYTES = 1 << 30  # compiled code, a demo run and its report
COARSE_NS = 1_000_000  # a clock that moves in larger steps cannot stamp market data
PACKAGES = ("msgspec", "numba", "numpy", "platformdirs", "plotly", "polars", "rich", "typer", "zstandard")
FMA = {"fma", "avx2"}


class Check(msgspec.Struct, frozen=True):
    """One thing looked at: ok, warn (it runs, worse) or bad (it does not run)."""

    name: str
    state: str
    found: str
    todo: str = ""


class Guess(msgspec.Struct, frozen=True):
    """A value that a run takes for granted because nobody said or measured it."""

    name: str
    value: str
    key: str


class Place(msgspec.Struct, frozen=True):
    """A folder Tradewind reads or writes. `writable`: it is, or could be made."""

    name: str
    path: str
    exists: bool
    writable: bool
    size_bytes: int


class Report(msgspec.Struct, frozen=True):
    """What the doctor found. exit_code: 0, 1 where something is bad, 2 where the configuration is."""

    ok: bool
    checks: list[Check]
    guesses: list[Guess]
    unconfirmed: list[Guess]  # rules of venues that no witness confirms; `key` is the document
    paths: list[Place]
    exit_code: int


def doctor(options: DoctorOptions, environment: Mapping[str, str]) -> Report:
    """Looks at everything; never raises for what it finds."""
    loaded, configuration = _configuration(options, environment)
    checks = [*_python(), *_machine(), *_folder_checks(environment), configuration]
    bad = [check for check in checks if check.state == BAD]
    code = 0 if not bad else 2 if bad == [configuration] else 1
    return Report(
        not bad, checks, _guesses(loaded) if loaded else [], list(_unconfirmed()), places(options, loaded, environment), code
    )


# Configuration -----------------------------------------------------------------------------------------------------------
def _configuration(options: DoctorOptions, environment: Mapping[str, str]) -> tuple[Loaded | None, Check]:
    try:
        loaded = configured(Configured(config=options.config), environment)
    except TradewindError as error:
        return None, Check("configuration", BAD, f"{error.where}: {error.what}; expected {error.expected}", error.todo)
    return loaded, Check("configuration", OK, loaded.file or "defaults (no file)")


def _guesses(loaded: Loaded) -> list[Guess]:
    found = [Guess("capital", str(loaded.config.run.capital), "run.capital")] if loaded.origin("run.capital") == "default" else []
    for name in loaded.config.venues or ["NAME"]:
        venue, whose = loaded.config.venue(name), "any venue" if name == "NAME" else name
        if venue.maker_bps is None or venue.taker_bps is None:
            found.append(Guess(f"fees of {whose}", f"tier {venue.fee_tier}", f"venues.{name}.maker_bps, taker_bps"))
        latencies = (("feed", venue.feed_ns), ("order", venue.order_ns), ("report", venue.report_ns))
        for leg, value in latencies:
            if loaded.origin(f"venues.{name}.{leg}_ns") == "default":
                found.append(Guess(f"{leg} latency of {whose}", duration(value), f"venues.{name}.{leg}_ns"))
    return found


def _unconfirmed() -> Iterator[Guess]:
    tables = {"binance": SPOT_FACTS, "binance-usdm": USDM_FACTS, "kraken": KRAKEN_FACTS, "coinbase": COINBASE_FACTS}
    for venue, facts in (*tables.items(), *_of_plugins()):
        for name, fact in guesses(facts):
            yield Guess(f"{venue}: {NAMES.get(name, name)}", shown(fact), f"{fact.source} ({fact.date})")
    for venue, step in unwitnessed():
        told = f"from {volume_text(step.volume)} USD, {step.maker_bps} and {step.taker_bps} bps"
        yield Guess(f"{venue}: fee tier {step.name}".rstrip(), told, f"none; venues.{venue}.maker_bps, taker_bps win")


def _of_plugins() -> Iterator[tuple[str, Mapping[str, Fact]]]:
    """The capability tables of installed packages' venues and data; one that cannot be loaded is said, and told by `check`."""
    makers: dict[str, Callable[[], Any]] = {name: lambda name=name: plugins.adapter_of(name) for name in plugins.installed()}  # type: ignore[misc]
    makers |= {f"data:{name}": lambda name=name: series.series_of(name) for name in series.installed()}  # type: ignore[misc]
    for name, maker in makers.items():
        try:
            facts = maker().facts
            facts = {str(key): fact for key, fact in facts.items() if isinstance(fact, Fact)}
        except (TradewindError, AttributeError) as error:
            told = error.what[:120] if isinstance(error, TradewindError) else "it declares no facts"
            facts = {"plug-in": Fact(value=told, source="this installation", date="")}
        yield name, facts


# The machine ---------------------------------------------------------------------------------------------------------------
def _python() -> Iterator[Check]:
    version = platform.python_version()
    state = OK if sys.version_info >= (3, 11) else BAD
    yield Check(
        "Python", state, f"{platform.python_implementation()} {version}", "" if state == OK else "install Python 3.11 or later"
    )
    missing, found = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    yield (
        Check("packages", OK, ", ".join(found))
        if not missing
        else Check("packages", BAD, f"missing: {', '.join(missing)}", "set up again with python3 start.py")
    )
    yield Check("libraries", *_importable(("numba", "zstandard", "polars")))


def _importable(names: tuple[str, ...]) -> tuple[str, str, str]:
    """Whether the compiled parts load: a missing shared library shows only here."""
    broken = []
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            broken.append(f"{name}: {error}")
    if broken:
        return BAD, "; ".join(broken), "install the shared library it names"
    return OK, f"{', '.join(names)} load", ""


def _machine() -> Iterator[Check]:
    system = platform.system()
    yield Check("system", OK if system == "Linux" else WARN, f"{system} {platform.machine()}, {os.cpu_count()} CPUs",
                "" if system == "Linux" else "Linux is tested; macOS is best effort, on Windows use WSL")  # fmt: skip
    flags = _cpu_flags()
    if flags is None:
        yield Check("CPU features", WARN, "unknown here", "results stay equal; only speed may differ")
    else:
        lacking = sorted(FMA - flags)
        yield Check("CPU features", OK if not lacking else WARN, ", ".join(sorted(FMA & flags)) or "none of fma, avx2",
                    f"without {', '.join(lacking)} it is slower, not different" if lacking else "")  # fmt: skip
    step = clock_step_ns(time.time_ns)
    yield Check(
        "clock",
        OK if step <= COARSE_NS else WARN,
        f"steps of {step} ns",
        "" if step <= COARSE_NS else "choose a finer clock source",
    )


def _cpu_flags() -> set[str] | None:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return None
    line = next((line for line in text.splitlines() if line.lower().startswith(("flags", "features"))), None)
    return set(line.split(":", 1)[1].split()) if line else None


def clock_step_ns(now: Callable[[], int], samples: int = 200) -> int:
    """The smallest step that `now` was seen to make; 2^62 where it stood still for the whole look."""
    smallest, last = 1 << 62, now()
    for _ in range(samples * 100):
        current = now()
        if current > last:
            smallest = min(smallest, current - last)
            samples -= 1
            if samples == 0:
                break
        last = current
    return smallest


# Folders -----------------------------------------------------------------------------------------------------------------------
def _folder_checks(environment: Mapping[str, str]) -> Iterator[Check]:
    cache = _numba_cache(environment)
    writable = _writable(cache)
    yield Check("compile cache", OK if writable else BAD, str(cache), "" if writable else "make it writable or set NUMBA_CACHE_DIR")
    for name, path in (("disk of the cache", cache), ("disk here", Path.cwd())):
        free = shutil.disk_usage(_nearest(path)).free
        yield Check(
            name, OK if free >= NEED_BYTES else WARN, f"{free / 1e9:.1f} GB free", "" if free >= NEED_BYTES else "free 1 GB"
        )


def _numba_cache(environment: Mapping[str, str]) -> Path:
    named = environment.get("NUMBA_CACHE_DIR")
    return Path(named) if named else folders(environment).cache


def places(options: DoctorOptions, loaded: Loaded | None, environment: Mapping[str, str]) -> list[Place]:
    """Every folder that is read or written, with its size on disk."""
    own = folders(environment)
    config = Path(loaded.file).parent if loaded and loaded.file else options.config.parent if options.config else Path()
    found = [
        (f"configuration ({FILE_NAME}, read)", config),
        ("runs (journals, reports)", Path(loaded.config.run.out if loaded else "out")),
        ("data (trials, measured latencies)", own.data),
        ("cache (compositions; may be deleted)", own.cache),
    ]
    if environment.get("NUMBA_CACHE_DIR"):
        found.append(("compile cache (NUMBA_CACHE_DIR)", _numba_cache(environment)))
    # The folder of the configuration is the user's own: walking it for its size may take minutes.
    return [_place(name, path.absolute(), sized=not name.startswith("configuration")) for name, path in found]


def _place(name: str, path: Path, *, sized: bool) -> Place:
    return Place(name, str(path), path.is_dir(), _writable(path), _size(path) if sized else 0)


def _size(path: Path) -> int:
    total = 0
    for folder, _, files in os.walk(path):
        for file in files:
            try:
                total += (Path(folder) / file).lstat().st_size
            except FileNotFoundError:  # a run ended and took it along
                continue
    return total


def _nearest(path: Path) -> Path:
    return next(item for item in (path.absolute(), *path.absolute().parents) if item.exists())


def _writable(path: Path) -> bool:
    nearest = _nearest(path)
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
