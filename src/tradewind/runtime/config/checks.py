"""Keys against each other, against what strategies declare, and against what a tape holds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path as File

import msgspec

from tradewind.domain.codes import TIMEFRAME_NAMES
from tradewind.domain.errors import BadUse, did_you_mean

from .loaded import Loaded
from .schema import KINDS, Strategy
from .units import Money, plain
from .walk import dotted


class Parameter(msgspec.Struct, frozen=True):
    """One number that a strategy declares: its default, range (both ends allowed) and meaning."""

    default: Decimal
    low: Decimal
    high: Decimal
    doc: str = ""


Declared = Callable[[str], Mapping[str, Parameter] | None]
"""Gives what a strategy kind declares; None where it cannot be known before the run."""


def unknown_name(thing: str, name: str, known: Iterable[str], *, where: str) -> BadUse:
    """The error about a name that is not among `known`, with the nearest one."""
    known = list(known)
    return BadUse(
        f"unknown {thing} {name!r}", where=where, expected=f"one of {', '.join(known)}" if known else f"no {thing} at all",
        todo=did_you_mean([name], known) or "take one from the list",
    )  # fmt: skip


def checked(loaded: Loaded, declared: Declared | None, folder: File) -> Loaded:
    """The same configuration with what follows from other keys filled in. Raises BadUse at the first contradiction."""
    run = loaded.config.run
    currency = run.capital.currency or run.reporting_currency or "USD"
    run = msgspec.structs.replace(
        run, capital=Money(run.capital.amount, currency), reporting_currency=run.reporting_currency or currency
    )
    strategies = {name: _strategy(loaded, name, item, folder) for name, item in loaded.config.strategies.items()}
    config = msgspec.structs.replace(loaded.config, run=run, strategies=strategies)
    loaded = msgspec.structs.replace(loaded, config=config)
    _limits(loaded)
    _shares(loaded)
    _order(loaded)
    for name, strategy in strategies.items():
        _parameters(loaded, name, strategy, declared)
    return loaded


def _strategy(loaded: Loaded, name: str, strategy: Strategy, folder: File) -> Strategy:
    key = f"{dotted(('strategies', name))}.kind"
    if not strategy.kind:
        if name not in KINDS:
            known = ", ".join(f'"{kind}"' for kind in KINDS)
            where = f"{loaded.origin(dotted(('strategies', name)))}, key {key}"
            raise BadUse(
                "the key is missing", where=where, expected=f'one of {known} or "python:path"', todo="say which strategy this is"
            )
        return msgspec.structs.replace(strategy, kind=name)
    if strategy.kind.startswith("python:"):
        path = folder / strategy.kind.removeprefix("python:")
        if not path.is_file():
            raise loaded.bad(
                key, f"there is no file {str(path)!r}", expected="the path of a Python file, relative to the configuration file",
                todo="correct the path, or make one with `tradewind new strategy NAME`",
            )  # fmt: skip
    return strategy


def _limits(loaded: Loaded) -> None:
    risk, currency = loaded.config.risk, loaded.config.run.capital.currency
    for name in ("max_order_notional", "max_position_notional", "max_gross_notional", "max_net_notional", "max_suspense"):
        size = getattr(risk, name)
        if size.currency not in ("", currency):
            raise loaded.bad(
                f"risk.{name}", f"the limit is in {size.currency}", expected=f"the capital's currency {currency}", todo="convert it"
            )
    collar = risk.collar_bps
    for tight, wide in (("A", "B"), ("B", "C")):
        if getattr(collar, tight) > getattr(collar, wide):
            key = f"risk.collar_bps.{tight if loaded.origin(f'risk.collar_bps.{tight}') != 'default' else wide}"
            what = f"grade {tight} ({plain(getattr(collar, tight))}) is wider than grade {wide} ({plain(getattr(collar, wide))})"
            raise loaded.bad(key, what, expected="A ≤ B ≤ C: the surer the reference, the tighter", todo="set all three")


def _shares(loaded: Loaded) -> None:
    given = [
        (name, item.capital_share)
        for name, item in loaded.config.strategies.items()
        if item.enabled and item.capital_share is not None
    ]
    total = sum((share for _, share in given), Decimal(0))
    if total > 1:
        key = dotted(("strategies", given[-1][0], "capital_share"))
        raise loaded.bad(
            key, f"the shares of enabled strategies sum to {plain(total * 100)}%", expected="at most 100%", todo="lower one of them"
        )


def _order(loaded: Loaded) -> None:
    names = loaded.config.timeframes.names
    if list(names) != sorted(names, key=TIMEFRAME_NAMES.index):
        raise loaded.bad("timeframes.names", f"{', '.join(names)} are not in order", expected="short to long", todo="sort them")
    truth = loaded.config.truth
    if truth.trust_leave >= truth.trust_enter:
        key = "truth.trust_leave" if loaded.origin("truth.trust_leave") != "default" else "truth.trust_enter"
        raise loaded.bad(key, "trust_leave is not below trust_enter", expected="trust_leave < trust_enter", todo="set both")


def _parameters(loaded: Loaded, name: str, strategy: Strategy, declared: Declared | None) -> None:
    known = declared(strategy.kind) if declared else None
    if known is None:
        return
    for parameter, value in strategy.parameters.items():
        key = dotted(("strategies", name, "parameters", parameter))
        if parameter not in known:
            raise unknown_name("parameter", parameter, known, where=f"{loaded.origin(key)}, key {key}")
        law = known[parameter]
        if not law.low <= value <= law.high:
            what, expected = f"{plain(value)} is out of range", f"a number from {plain(law.low)} to {plain(law.high)}"
            raise loaded.bad(key, what, expected=expected, todo=f"correct it; default {plain(law.default)}")


def refuse_unknown(loaded: Loaded, name: str, parameters: Iterable[str], known: Collection[str]) -> None:
    """Raises BadUse, naming file and line, where strategy `name` is given a parameter that is not among `known`."""
    for parameter in parameters:
        if parameter not in known:
            key = dotted(("strategies", name, "parameters", parameter))
            raise unknown_name("parameter", parameter, known, where=f"{loaded.origin(key)}, key {key}")


def selected(loaded: Loaded, names: Iterable[str]) -> Loaded:
    """The configuration in which only `names` trade (each a configured strategy or a kind); all that are enabled if empty."""
    names = list(names)
    if not names:
        return loaded
    strategies = dict(loaded.config.strategies)
    for name in names:
        if name not in strategies:
            if name not in KINDS:
                raise unknown_name("strategy", name, dict.fromkeys([*strategies, *KINDS]), where="--strategy")
            strategies[name] = Strategy(kind=name)
    chosen = {name: msgspec.structs.replace(item, enabled=name in names) for name, item in strategies.items()}
    loaded = msgspec.structs.replace(loaded, config=msgspec.structs.replace(loaded.config, strategies=chosen))
    _shares(loaded)
    return loaded


def instruments_of(loaded: Loaded, strategy: str, known: Collection[str]) -> list[str]:
    """Those of `known` instrument names that a strategy may trade. Raises BadUse where one of its entries matches none."""
    key = dotted(("strategies", strategy, "instruments"))
    entries = loaded.config.strategies[strategy].instruments
    for entry in entries:
        if not any(fnmatchcase(name, entry) for name in known):
            raise unknown_name("instrument", entry, known, where=f"{loaded.origin(key)}, key {key}")
    return [name for name in known if any(fnmatchcase(name, entry) for entry in entries)]


def check_venues(loaded: Loaded, known: Collection[str]) -> None:
    """Raises BadUse where a [venues.NAME] table names no venue of `known`."""
    for name in loaded.config.venues:
        if name not in known:
            key = dotted(("venues", name))
            origin = next((place for path, place in loaded.origins.items() if path == key or path.startswith(f"{key}.")), "")
            raise unknown_name("venue", name, known, where=f"{origin}, key {key}")
