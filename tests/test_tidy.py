"""The style ratchet: the rules of `tidy.py` over every file. The list of exceptions may only shrink."""

from __future__ import annotations

import importlib
import pkgutil
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import tidy
from tidy import Source

# (rule, file, name) -> why it may stay. An entry that is no longer needed fails the test: take it out.
_FLAT = "the compiled floor passes scalars: a record to carry them would cost more than the call"
EXCEPTIONS: dict[tuple[str, str, str], str] = {
    ("many_parameters", "src/tradewind/engine/account.py", "enter"): _FLAT,
    ("many_parameters", "src/tradewind/engine/many.py", "run"): "an entry point is given every array it touches",
    ("many_parameters", "src/tradewind/execution/orders.py", "submit"): _FLAT,
    ("many_parameters", "src/tradewind/kernel/emit.py", "evidence"): _FLAT,
    ("many_parameters", "src/tradewind/market/books.py", "insert"): _FLAT,
}
# Packages whose median function is longer than the house wants, with the median they may not exceed.
LONGER_MEDIANS: dict[str, float] = {"analytics": 12, "market": 11, "portfolio": 12, "risk": 12, "simulation": 10, "strategy": 12}


def sources(repo: Path, *folders: str) -> list[Source]:
    files = sorted(path for folder in folders for path in (repo / folder).rglob("*.py") if "__pycache__" not in path.parts)
    return [Source(path.relative_to(repo).as_posix(), path.read_text()) for path in files]


def offences(repo: Path) -> Iterator[tuple[str, str, str]]:
    for source in sources(repo, "src"):
        for rule in tidy.IN_SRC:
            yield from ((rule.__name__, source.path, name) for name in rule(source))
    others = [Source(name, (repo / name).read_text()) for name in ("start.py",)] + sources(repo, "tests")
    for source in others:
        for rule in tidy.EVERYWHERE:
            yield from ((rule.__name__, source.path, name) for name in rule(source))


def tracked(repo: Path) -> list[Path]:
    """What git tracks or would track; everything but hidden folders where there is no git."""
    listed = subprocess.run(
        ["git", "-C", str(repo), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=False
    )
    if listed.returncode:
        return [
            path
            for path in repo.rglob("*")
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(repo).parts)
        ]
    return [path for name in listed.stdout.decode().split("\0") if name and (path := repo / name).is_file()]


def test_sources_keep_the_rules(repo: Path) -> None:
    found = set(offences(repo))
    new = sorted(found - EXCEPTIONS.keys())
    assert not new, "against the rules of tests/tidy.py:\n" + "\n".join(f"  {rule}: {file} {name}" for rule, file, name in new)
    idle = sorted(EXCEPTIONS.keys() - found)
    assert not idle, f"exceptions no longer needed, take them out: {idle}"


def test_median_function_is_short(repo: Path) -> None:
    lengths: dict[str, list[int]] = {}
    for source in sources(repo, "src"):
        lengths.setdefault(source.package, []).extend(tidy.lines_of_work(node) for _, node in source.functions())
    medians = {package: statistics.median(values) for package, values in sorted(lengths.items()) if values}
    for package, median in medians.items():
        print(f"{package:12} median {median:4.1f} of {len(lengths[package])} functions")  # seen with pytest -rP
    long = {package: median for package, median in medians.items() if median > LONGER_MEDIANS.get(package, tidy.MEDIAN_LINES)}
    assert not long, f"median function longer than {tidy.MEDIAN_LINES} lines: {long}"


def test_no_file_names_a_machine_or_a_registry(repo: Path) -> None:
    found = []
    for path in tracked(repo):
        text = path.read_bytes()
        if b"\0" not in text[:8192]:
            found += [f"{path.relative_to(repo)} {name}" for name in tidy.machine_traces(text.decode(errors="replace"))]
    assert not found, found


def test_no_tracked_file_is_large(repo: Path) -> None:
    assert not [(str(path), path.stat().st_size) for path in tracked(repo) if path.stat().st_size > tidy.FILE_BYTES]


# Names of fields -----------------------------------------------------------------------------------------------------


def dtypes() -> dict[str, np.dtype]:
    """Every structured dtype of the domain by its place, nested ones included."""
    import tradewind.domain

    found: dict[str, np.dtype] = {}
    for info in pkgutil.iter_modules(tradewind.domain.__path__):
        module = importlib.import_module(f"tradewind.domain.{info.name}")
        for name, value in vars(module).items():
            if isinstance(value, np.dtype):
                found[f"{info.name}.{name}"] = value
    return found


def fields(dtype: np.dtype) -> Iterator[str]:
    for name, (inner, *_) in (dtype.fields or {}).items():
        yield name
        yield from fields(inner.subdtype[0] if inner.subdtype else inner)


def test_no_field_hides_behind_a_method_of_the_record_scalar() -> None:
    taken = set(dir(np.record))
    assert "rows.ROW" in dtypes()
    clashes = {place: sorted(set(fields(dtype)) & taken) for place, dtype in dtypes().items()}
    assert not {place: names for place, names in clashes.items() if names}


def test_no_field_has_the_name_of_something_in_a_module(repo: Path) -> None:
    names = frozenset(name for dtype in dtypes().values() for name in fields(dtype))
    hidden = {source.path: found for source in sources(repo, "src") if (found := list(tidy.hidden_by_field(source, names)))}
    assert not hidden, hidden


def test_dtypes_have_no_padding() -> None:
    for place, dtype in dtypes().items():
        if dtype.fields:
            used = sum(inner.itemsize for inner, *_ in dtype.fields.values())
            assert used == dtype.itemsize, f"{place} has {dtype.itemsize - used} bytes of padding"


# Each rule can fail --------------------------------------------------------------------------------------------------

ROOM = "src/tradewind/market/planted.py"
RIM = "src/tradewind/venues/planted.py"
LATER = "TO" + "DO"
OFFENDERS = [
    (tidy.long_file, RIM, "x = 1\n" * 601, "x = 1\n" * 600),
    (tidy.long_function, RIM, "def f():\n" + "    x = 1\n" * 70, "def f():\n" + "    x = 1\n" * 69),
    (
        tidy.wide_class,
        RIM,
        "class C:\n" + "".join(f"    def m{i}(self): ...\n" for i in range(21)),
        "class C:\n    def _m(self): ...\n",
    ),
    (tidy.many_parameters, RIM, "def f(a, b, c, d, e, f, *, g): ...", "class C:\n    def f(self, a, b, c, d, e, f): ..."),
    (tidy.many_parameters, RIM, "def f(a, b, c, d, e, f, g): ...", "@compiled\ndef f(s, a, b, c, d, e, f): ..."),
    (tidy.printing, RIM, "print(1)", "pprint(1)"),
    (tidy.printing, "src/tradewind/cli/main.py", "print(1)", "emit(1)"),
    (tidy.postponed, RIM, f"x = 1  # {LATER} later", "todo = 1"),
    (tidy.swallowed, RIM, "try: f()\nexcept Exception: pass", "try: f()\nexcept KeyError: pass"),
    (tidy.swallowed, RIM, "try: f()\nexcept (KeyError, BaseException): ...", "try: f()\nexcept Exception as e: tell(e)"),
    (tidy.swallowed, RIM, "try: f()\nexcept: tell()", ""),
    (tidy.unexplained, RIM, "try: f()\nexcept BaseException: g()", "try: f()\nexcept BaseException:  # also on Ctrl-C\n  g()"),
    (tidy.unexplained, RIM, "try: f()\nexcept (OSError, Exception):  # noqa: BLE001\n  g()", "try: f()\nexcept OSError: g()"),
    (tidy.unexplained, RIM, "try: f()\nexcept:\n  # later\n  g()", "try: f()\nexcept Exception:  # noqa: X1 - a reason\n  g()"),
    (tidy.asserting, RIM, "def f(): assert x", "assert SIZE == 64"),
    (tidy.asserting, RIM, "def f(): assert is_open(x)", "def f(): assert isinstance(x, int)"),
    (tidy.pandas, RIM, "import pandas as pd", "from .pandas import x"),
    (tidy.float_power, ROOM, "@compiled\ndef f(x):\n    return x ** 2", "@compiled\ndef f(k):\n    return 10 ** k"),
    (tidy.float_power, ROOM, "@entry\ndef f(x):\n    x **= 2", "def f(x):\n    return x ** 2"),
    (tidy.foreign_maths, ROOM, "@compiled\ndef f(x):\n    return np.log(x)", "@compiled\ndef f(x):\n    return maths.log(x)"),
    (tidy.foreign_maths, ROOM, "from math import exp\n@called\ndef f(x):\n    return exp(x)", "from math import exp\nx = exp(1)"),
    (
        tidy.foreign_maths,
        "src/tradewind/engine/machine.py",
        "@jit.entry\ndef f(x):\n    return math.tanh(x)",
        "@entry\ndef f(x):\n    return math.sqrt(x)",
    ),
    (tidy.impure_import, ROOM, "import os.path", "from . import time"),
    (tidy.impure_import, "src/tradewind/domain/x.py", "from datetime import date", "import msgspec"),
    (tidy.impure_import, ROOM, "x = np.random.rand()", "x = s.random"),
]


@pytest.mark.parametrize(("rule", "path", "bad", "good"), OFFENDERS, ids=lambda value: getattr(value, "__name__", None))
def test_rule_finds_a_planted_offender(rule: tidy.Rule, path: str, bad: str, good: str) -> None:
    assert list(rule(Source(path, bad)))
    assert not list(rule(Source(path, good)))


def test_rules_know_their_places() -> None:
    assert not list(tidy.printing(Source("src/tradewind/cli/emit.py", "print(1)")))
    assert not list(tidy.foreign_maths(Source("src/tradewind/kernel/maths.py", "@compiled\ndef f(x): return math.exp(x)")))
    assert {rule.__name__ for rule, *_ in OFFENDERS} == {rule.__name__ for rule in tidy.IN_SRC}


@pytest.mark.parametrize(
    "place", ["/" + "work/main", "/" + "root/x", "at /" + "tmp/tw/x", "https://py" + "pi.org/simple", "/" + "opt/wheels"]
)
def test_traces_of_a_machine_are_found(place: str) -> None:
    assert list(tidy.machine_traces(f"see {place}"))


@pytest.mark.parametrize(
    "place", ["the network/root of it", "out/work/x", "~/work/x", "${HOME}/work/", "a/farm/b", "it works / roots"]
)
def test_other_paths_are_no_trace(place: str) -> None:
    assert not list(tidy.machine_traces(f"see {place}"))


def test_clashing_field_is_found() -> None:
    nested = np.dtype([("top", np.dtype([("fill", "i8")]), (2,))])
    assert set(fields(nested)) & set(dir(np.record)) == {"fill"}


def test_name_hidden_by_a_field_is_found() -> None:
    names = frozenset({"price"})
    assert list(tidy.hidden_by_field(Source(ROOM, "from . import rates\nx = rates.price(s)"), names))
    assert not list(tidy.hidden_by_field(Source(ROOM, "from . import rates\nx = row.price"), names))
