"""Composition: a machine made of chosen features and strategies, written as source, compiled once, cached by its hash.

Functions passed as arguments cost more than the whole step, so nothing is passed: a small package is written into a cache
folder, `machine.py`, `drive.py` and `settings.py` as byte copies of the pages in this package beside a generated
`slots.py`. Only what the reached sources mean (`kernel.meaning`), layout and capacities decide what is computed: they are the
*machine hash*, which backtest, paper, live and replay print. The bytes of these sources, the compiler's versions and flags
decide the object code: they are added in the *build*, which names the cache folder. Two builds of one machine must give
the same bytes; tests hold that.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np

from ..domain import layout, rows
from ..domain.errors import BadUse
from ..kernel import twin
from ..kernel.meaning import Meaning

PACKAGE = Path(__file__).resolve().parent.parent
FLOOR = ("domain", "kernel", "market", "analytics", "strategy", "risk", "execution", "portfolio", "simulation", "engine")
PAGES = ("machine.py", "account.py", "settings.py", "drive.py", "many.py", "fold.py")
HOW = ("jit.py", "pipeline.py", "sharing.py", "tagged.py")  # how, not what: only the build depends on them
FEATURE_HOOKS = {"on_quote": "s, i", "on_trade": "s, row", "on_bar": "s, i, f", "on_decision": "s, i"}
STRATEGY_HOOKS = {
    "on_timer": ("s, k, i, out", "s, {k}, i", True),
    "on_touch": ("s, i, out", "s, {k}, i", False),
    "on_bar": ("s, i, f, out", "s, {k}, i, f", False),
    "on_end": ("s, k, i, out", "s, {k}, i", True),
    "on_answer": ("s, k, row, out", "s, {k}, row", True),
}
DEFAULT_FEATURES = ("flow", "ema")


class Composition(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine is made of. The order of `strategies` gives their numbers."""

    strategies: tuple[str, ...] = ("market_maker", "python", "arbitrage")
    features: tuple[str, ...] = DEFAULT_FEATURES
    capacity: layout.Capacity = layout.Capacity()

    def __post_init__(self) -> None:
        if len(self.strategies) > self.capacity.strategies:
            raise BadUse(
                f"{len(self.strategies)} strategies do not fit a capacity of {self.capacity.strategies}",
                todo="raise capacity.strategies",
            )


class Machine:
    """A composed machine: layouts, hash, and the two entry points, loaded when first asked for."""

    def __init__(self, composition: Composition, *, compiled: bool = True, cache: Path | None = None) -> None:
        self.composition = composition
        self.compiled = compiled
        self.features = [_module("analytics.features", name) for name in composition.features]
        self.strategies = [_module("strategy.library", name) for name in composition.strategies]
        ours, markets = self._strategy_tables(), self._feature_tables()
        self.state_dtype = layout.state_dtype(composition.capacity, ours, markets)
        self.account_dtype = layout.account_dtype(composition.capacity, ours)
        self.venue_dtype = layout.venue_dtype(composition.capacity)
        self.hash = self._hash()
        self.build = self._build()
        self.cache = cache
        self._pages: dict[str, ModuleType] = {}  # what was loaded

    def _feature_tables(self) -> tuple[tuple[Any, ...], ...]:
        c = self.composition.capacity
        shapes = {True: (c.instruments, c.timeframes), False: (c.instruments,)}
        return tuple((module.NAME, np.dtype(module.MEMORY), shapes[module.PER_FRAME]) for module in self.features)

    def _strategy_tables(self) -> tuple[tuple[Any, ...], ...]:
        c = self.composition.capacity
        memories = {module.NAME: np.dtype(module.MEMORY) for module in self.strategies if hasattr(module, "MEMORY")}
        return tuple((name, memory, (c.strategies, c.instruments)) for name, memory in memories.items())

    # Identity -----------------------------------------------------------------------------------------------------------

    def given(self) -> dict[str, str]:
        """The sources of the composed package, by module name."""
        pages = {page: (PACKAGE / "engine" / page).read_text(encoding="utf-8") for page in PAGES}
        written = {"slots.py": self.slots(), "features.py": self.feature_hooks(), "strategies.py": self.strategy_hooks()}
        return {f"composed.{name.removesuffix('.py')}": source for name, source in {**pages, **written}.items()}

    def _hash(self) -> str:
        h = hashlib.sha256(_reached(tuple(self.given().items()))[0].encode())
        h.update(repr(self.state_dtype).encode())
        h.update(msgspec.json.encode(self.composition))
        return h.hexdigest()[:16]

    def _build(self) -> str:
        from importlib.metadata import version

        given = self.given()
        h = hashlib.sha256(self.hash.encode())
        for path in (*_reached(tuple(given.items()))[1], *(PACKAGE / "kernel" / name for name in HOW)):
            h.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes() + b"\0")
        h.update(msgspec.json.encode(given))
        h.update(repr(self.venue_dtype).encode())
        for name in ("numba", "llvmlite", "numpy"):
            h.update(f"{name}={version(name)};".encode())
        for key in sorted(k for k in os.environ if k.startswith("NUMBA_") and k != "NUMBA_CACHE_DIR"):
            h.update(f"{key}={os.environ[key]};".encode())
        h.update(sys.version.encode())
        return h.hexdigest()[:16]

    # Source ---------------------------------------------------------------------------------------------------------------

    def slots(self) -> str:
        """The generated module: hooks of features and strategies as unrolled chains."""
        return f'"""Generated by tradewind.engine.compose."""\n\nfrom . import {"features, strategies"}\n'

    def feature_hooks(self) -> str:
        lines = ['"""Generated: the composed features."""', "", "from tradewind.kernel.jit import compiled"]
        lines += [
            f"from tradewind.analytics.features import {m.__name__.rsplit('.', 1)[1]} as feature_{m.NAME}" for m in self.features
        ]
        for hook, arguments in FEATURE_HOOKS.items():
            calls = [f"    feature_{m.NAME}.{hook}({arguments})" for m in self.features if hasattr(m, hook)]
            lines += ["", "", "@compiled", f"def {hook}({arguments}):", *(calls or ["    return"])]
        return "\n".join(lines) + "\n"

    def strategy_hooks(self) -> str:
        lines = ['"""Generated: the composed strategies."""', "", "from tradewind.kernel.jit import compiled"]
        lines += [
            f"from tradewind.strategy.library import {m.__name__.rsplit('.', 1)[1]} as strategy_{k}"
            for k, m in enumerate(self.strategies)
        ]
        lines += ["", f"HEARS_TOUCH = {any(hasattr(m, 'on_touch') for m in self.strategies)}"]
        for hook, (arguments, passed, single) in STRATEGY_HOOKS.items():
            calls = []
            for k, module in enumerate(self.strategies):
                if hasattr(module, hook):
                    extra = ", out" if "out" in _parameters(getattr(module, hook)) else ""
                    call = f"strategy_{k}.{hook}({passed.format(k=k)}{extra})"
                    calls += [f"    if k == {k}:", f"        {call}"] if single else [f"    {call}"]
            lines += ["", "", "@compiled", f"def {hook}({arguments}):", *(calls or ["    return"])]
        return "\n".join(lines) + "\n"

    def _write(self, folder: Path) -> None:
        """Writes the package aside and renames it, so that nobody ever sees half of one."""
        if (folder / "slots.py").exists():
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
        (aside / "__init__.py").write_text('"""A composed machine."""\n', encoding="utf-8")
        for name, source in self.given().items():
            (aside / f"{name.rpartition('.')[2]}.py").write_text(source, encoding="utf-8")
        try:
            aside.rename(folder)
        except OSError:
            shutil.rmtree(aside, ignore_errors=True)  # another process was first; its package is the same

    def _page(self, page: str) -> ModuleType:
        """A module of the composed package."""
        if page not in self._pages:
            self._pages[page] = self._load(page)
        return self._pages[page]

    def _load(self, page: str) -> ModuleType:
        name = f"m_{self.build}"
        folder = (self.cache or default_cache()) / name
        self._write(folder)
        if not self.compiled:
            fields = layout.field_names(self.state_dtype, self.venue_dtype, rows.ROW)
            twin.load(f"composed_{name}", fields, folder)
            return twin.load(f"composed_{name}.{page}", fields, folder / page)
        package = f"tradewind_composed_{name}"
        if package not in sys.modules:
            spec = importlib.util.spec_from_file_location(package, folder / "__init__.py", submodule_search_locations=[str(folder)])
            assert_spec = _must_spec(spec, folder)
            module = importlib.util.module_from_spec(assert_spec)
            sys.modules[package] = module
            if assert_spec.loader is not None:
                assert_spec.loader.exec_module(module)
        return importlib.import_module(f"{package}.{page}")

    # Entry points ---------------------------------------------------------------------------------------------------------------

    @property
    def run(self) -> Callable[..., tuple[int, int]]:
        """machine.run(state, tape, start, stop, out) -> (next, reason)."""
        return self._page("machine").run  # type: ignore[no-any-return]

    @property
    def fold(self) -> Callable[..., int]:
        """fold.run(state, rows) -> rows read: facts alone."""
        return self._page("fold").run  # type: ignore[no-any-return]

    @property
    def drive(self) -> Callable[..., tuple[int, int]]:
        """drive.run(state, physics, tape, start, stop, segment, out) -> (next, reason)."""
        return self._page("drive").run  # type: ignore[no-any-return]

    @property
    def many(self) -> Callable[..., tuple[int, int]]:
        """many.run(state, own, physics, tape, start, stop, out, boxes, keep) -> (next, reason): one market, many accounts."""
        return self._load("many").run  # type: ignore[no-any-return]


@functools.lru_cache(maxsize=64)
def _reached(given: tuple[tuple[str, str], ...]) -> tuple[str, list[Path]]:
    """What the machine of a composed package means, and the files its entry points read; kept on disk for the next process."""
    h = hashlib.sha256(msgspec.json.encode([given, sys.version]))
    for path in sorted(path for floor in FLOOR for path in (PACKAGE / floor).rglob("*.py")):
        h.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes() + b"\0")
    kept = default_cache() / "meanings" / f"{h.hexdigest()[:32]}.json"
    try:
        text, names = msgspec.json.decode(kept.read_bytes(), type=tuple[str, list[str]])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        text, names = _followed(given)
        _keep(kept, msgspec.json.encode((text, names)))
    return text, [PACKAGE / name for name in names]


def _keep(file: Path, content: bytes) -> None:
    """Writes a file of the cache whole or not at all."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as aside:
            aside.write(content)
        os.replace(aside.name, file)
    except OSError:
        return  # a cache that cannot be written costs the next process a fifth of a second


def _followed(given: tuple[tuple[str, str], ...]) -> tuple[str, list[str]]:
    meaning = Meaning(dict(given)).reach(("composed.machine", "run"))
    text = meaning.text()
    files = meaning.reach(*((f"composed.{page}", "run") for page in ("drive", "many", "fold"))).files
    return text, sorted(str(path.relative_to(PACKAGE)) for path in files)


def straight(function: Any) -> Any:
    """An entry point without Numba's look at the types of its arguments, 0.4 µs a call; itself where it is not compiled.

    For callers that have just called `function` with the very arrays, or arrays of the very types (`is_plain`), they will go
    on with: nothing checks them any more.
    """
    overloads = list(getattr(function, "overloads", {}).values())
    return overloads[0].entry_point if len(overloads) == 1 else function


def is_plain(tape: rows.Rows) -> bool:
    """Whether an array of rows is of the type the entry points are compiled for: rows in one piece that may be written."""
    return tape.dtype == rows.ROW and tape.ndim == 1 and tape.flags.c_contiguous and tape.flags.writeable


def _parameters(function: Any) -> tuple[str, ...]:
    function = getattr(function, "py_func", function)
    return function.__code__.co_varnames[: function.__code__.co_argcount]  # type: ignore[no-any-return]


def _must_spec(spec: Any, folder: Path) -> Any:
    if spec is None:
        raise BadUse(f"the composed machine in {folder} cannot be loaded", todo="delete the folder and try again")
    return spec


def _module(place: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(f"tradewind.{place}.{name}")
    except ModuleNotFoundError:
        known = sorted(p.stem for p in PACKAGE.joinpath(*place.split(".")).glob("*.py") if p.stem != "__init__")
        raise BadUse(f"no {place.rsplit('.', 1)[1]} module named {name!r}", expected=f"one of {', '.join(known)}") from None


def default_cache() -> Path:
    """Where composed machines live: TRADEWIND_CACHE, else the user's cache folder."""
    given = os.environ.get("TRADEWIND_CACHE")
    if given:
        return Path(given)
    from platformdirs import user_cache_path

    return user_cache_path("tradewind") / "machines"
