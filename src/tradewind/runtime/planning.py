"""From a configuration and a tape's instruments to a machine and its setup.

Nothing here is hidden from the journal: the setup becomes the prelude rows, the composition the journal's header.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.domain.instruments import MONEY, Instrument
from tradewind.domain.layout import Capacity
from tradewind.domain.rows import Rows
from tradewind.engine.compose import Composition, Machine
from tradewind.engine.prelude import COMMON, Latency, Limits, Setup, StrategySetup
from tradewind.storage.tape import Tape
from tradewind.strategies.base import Strategy, wake_frame
from tradewind.strategies.swing import Swing

from . import sizes
from .config import Config, Loaded, instruments_of, refuse_unknown
from .config.schema import Strategy as StrategyConfig
from .config.units import Size
from .fees import charged
from .strategyfile import load_strategy

SIZING = ("fraction", "risk", "slip_bp")  # what every Python strategy may be told beside its own parameters
SEATS = ("swing",)  # kinds that sit in the machine's Python seat, beside python:PATH
DEFAULT_THINK_NS = 2 * codes.MILLISECOND  # what `auto` charges


class Seated(msgspec.Struct, frozen=True):
    """A Python strategy of a plan: what makes its object, and its thinking time."""

    name: str
    path: str  # "" for one that ships
    parameters: dict[str, float]
    think_ns: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run is made of. `seats` maps a strategy's number to its Python object's maker."""

    composition: Composition
    setup: Setup
    names: list[str]
    seats: dict[int, Seated]
    capital: float
    notes: list[str] = []

    def machine(self, *, compiled: bool = True, cache: Path | None = None) -> Machine:
        """The composed machine."""
        return Machine(self.composition, compiled=compiled, cache=cache)

    def make_seats(self) -> dict[int, tuple[Strategy, int]]:
        """Fresh objects of every Python strategy."""
        return {k: (_strategy(seat), seat.think_ns) for k, seat in self.seats.items()}

    def to_json(self) -> str:
        """The plan as text, for the journal's header."""
        setup = msgspec.to_builtins(msgspec.structs.replace(self.setup, balances={}))
        setup["balances"] = [[venue, asset, amount] for (venue, asset), amount in self.setup.balances.items()]
        plain = {
            "composition": msgspec.to_builtins(self.composition), "setup": setup, "names": self.names, "capital": self.capital,
            "seats": {str(k): msgspec.to_builtins(seat) for k, seat in self.seats.items()}, "notes": self.notes,
        }  # fmt: skip
        return msgspec.json.encode(plain).decode()


def plan_of(text: str) -> Plan:
    """The plan a journal's header holds."""
    plain = msgspec.json.decode(text)
    balances = {(venue, asset): amount for venue, asset, amount in plain["setup"].pop("balances")}
    setup = msgspec.convert({**plain["setup"], "balances": {}}, _SetupText)
    return Plan(
        composition=msgspec.convert(plain["composition"], Composition),
        setup=Setup(**{name: getattr(setup, name) for name in setup.__struct_fields__ if name != "balances"}, balances=balances),
        names=plain["names"],
        capital=plain["capital"],
        seats={int(k): msgspec.convert(seat, Seated) for k, seat in plain["seats"].items()},
        notes=plain["notes"],
    )


class _SetupText(Setup, frozen=True, kw_only=True):
    """A Setup as its text gives it back: sequences as lists of the right element types."""

    instruments: list[Instrument]
    strategies: list[StrategySetup]
    balances: dict[str, float]  # type: ignore[assignment]


def plan(loaded: Loaded, tape: Tape, think_ns: int | None = None) -> Plan:
    """What `loaded` asks of the tape's instruments. Raises BadUse naming the key that does not fit."""
    config = loaded.config
    manifest = tape.manifest
    instruments, about_fees = charged(loaded, manifest.instruments)
    names = [name for name, strategy in config.strategies.items() if strategy.enabled]
    if not names:
        raise BadUse(
            "no strategy is enabled", expected="at least one", todo="enable one under [strategies] or name it with --strategy"
        )
    bars_only = not any(stream.channel in ("depth", "quote") for stream in manifest.streams)
    first = told_prices(manifest.notes, instruments) or first_prices(tape, len(instruments))
    reporting = config.run.reporting_currency or config.run.capital.currency
    timeframes = tuple(config.timeframes.names)
    rights = {name: _rights(loaded, name, instruments, first) for name in names}
    bookless = [name for name in names if bars_only and (config.strategies[name].kind or name) == "market_maker"]
    rights |= dict.fromkeys(bookless, ())
    capital = float(config.run.capital.amount)
    reporting, notes = _reporting(reporting, instruments, capital)
    worth, more = _worth(config.run.capital.currency, reporting, first_rates(reporting, instruments, first), notes)
    capital, notes = capital * worth, notes + more
    notes += about_fees
    notes += [f"{name} stands still: a tape of bars has no book to quote into" for name in bookless]
    notes += [f"{x.name} is heard and not traded: {why}" for x in instruments if (why := _untraded(x))]
    balances = spread_capital(capital, reporting, instruments, first, rights, config)
    seats: dict[int, Seated] = {}
    strategies: list[StrategySetup] = []
    kinds: list[str] = []
    shares = _shares(config, names)
    amount = config.run.capital.amount
    order = min(float(config.risk.max_order_notional.of(amount) / amount), 1.0)
    for k, name in enumerate(names):
        strategy = config.strategies[name]
        kind = strategy.kind or name
        seat = _seat(loaded, name, strategy, kind, think_ns)
        refuse_unknown(loaded, name, strategy.parameters, declared(kind, seat))
        if seat is not None:
            seats[k] = seat
        kinds.append("python" if seat is not None else kind)
        made = _strategy_setup(strategy, kind, seat, (shares[name], order), timeframes, rights[name])
        strategies.append(sizes.asked(made, kind, shares[name], config.risk, strategy.parameters))
    setup = Setup(
        instruments=instruments, reporting=reporting, strategies=strategies, balances=balances, limits=_limits(config,
        worth, bars_only),
        latencies=_latencies(config, instruments), collars_bp=_collars(config), jump_bp=round(config.truth.jump_bps),
        stale_ns=_stale(config, bars_only), timeframes=timeframes, tuning=_tuning(config),
        bars_only=bars_only, half_spread_bp=1.0 if bars_only else 0.0,
        book_depths={str(k): int(v) for k, v in (manifest.notes.get("book_depth") or {}).items()},
    )  # fmt: skip
    size = 32 if len(instruments) <= 32 else 64
    notes += sizes.told(names, strategies, instruments, first, first_rates(reporting, instruments, first), capital)
    composition = Composition(strategies=tuple(kinds), capacity=Capacity(instruments=size, strategies=max(4, len(kinds))))
    return Plan(composition=composition, setup=setup, names=names, seats=seats, capital=capital, notes=notes)


# Instruments, prices, money ------------------------------------------------------------------------------------------------


def told_prices(notes: Mapping[str, Any], instruments: Sequence[Instrument]) -> list[float]:
    """The first prices a recording's notes tell, because a live run planned with them; [] where they tell none."""
    told = notes.get("first_prices") or {}
    return [float(told.get(x.name, 0.0)) for x in instruments] if told else []


def first_prices(tape: Tape, n: int) -> list[float]:
    """The first price of every instrument on the tape in whole quote units; 0 where the first segments show none."""
    found = np.zeros(n)
    for segment in range(min(2, len(tape.manifest.segments))):
        rows = tape.segment(segment)
        told = rows[
            np.isin(rows["kind"], (codes.TRADE, codes.BAR, codes.QUOTE, codes.DEPTH)) & (rows["price"] > 0) & (rows["quantity"] > 0)
        ]
        best = np.where(np.isin(told["kind"], (codes.TRADE, codes.BAR, codes.QUOTE)), 0, 1)
        order = np.argsort(best, kind="stable")
        which, at = np.unique(told["instrument"][order], return_index=True)
        for i, j in zip(which, at, strict=True):
            if i < n and found[i] == 0:
                found[i] = told["price"][order][j] / 10.0 ** tape.manifest.instruments[i].price_exponent
        if (found > 0).all():
            break
    return [float(x) for x in found]


def _rights(loaded: Loaded, name: str, instruments: Sequence[Instrument], first: Sequence[float]) -> tuple[int, ...]:
    """Instruments a strategy may trade: those it names, without pairs of two currencies, which only give rates.

    Nor inverse contracts, which are only heard. Raises BadUse where it names one.
    """
    known = [x.name for x in instruments]
    wanted = set(instruments_of(loaded, name, known))
    explicit = "*" not in loaded.config.strategies[name].instruments
    inverse = [x.name for x in instruments if x.name in wanted and x.payoff == codes.INVERSE]
    if explicit and inverse:
        raise BadUse(
            f"{inverse[0]} is an inverse contract: it is heard, and never traded", where=f"strategies.{name}.instruments",
            expected="spot pairs and linear contracts", todo="leave it out: the ledger knows no payoff in the base asset",
        )  # fmt: skip
    return tuple(
        i
        for i, x in enumerate(instruments)
        if x.name in wanted and first[i] > 0 and (explicit or x.base not in CURRENCIES) and x.name not in inverse
    )


def _untraded(x: Instrument) -> str:
    """Why nobody may trade an instrument; "" where one may."""
    if x.payoff == codes.INVERSE:
        return "it is an inverse contract, and the ledger knows no payoff in the base asset"
    return f"its status is {codes.STATUS_NAMES[x.status]}" if x.status != codes.TRADING else ""


def _tuning(config: Config) -> dict[str, float]:
    """The numbers of the rooms that the configuration names."""
    chosen = config.selector
    return {
        "period_s": chosen.period_ns / 1e9, "hysteresis": float(chosen.hysteresis), "shrinkage": float(chosen.shrinkage),
        "trust_enter": float(config.truth.trust_enter), "trust_leave": float(config.truth.trust_leave),
    }  # fmt: skip


CURRENCIES = ("USD", "USDT", "USDC", "EUR", "GBP", "DAI", "TUSD", "BUSD")


def _reporting(wanted: str, instruments: Sequence[Instrument], capital: float) -> tuple[str, list[str]]:
    """The reporting currency the tape can price; the wish where possible, else its most used quote, and a note."""
    assets = {x.base for x in instruments} | {x.quote for x in instruments}
    if wanted in assets:
        return wanted, []
    quotes = [x.quote for x in instruments]
    chosen = max(set(quotes), key=quotes.count)
    note = (
        f"the tape cannot price {wanted}: everything is reported in {chosen}, and the capital of {capital:g} is taken as {chosen}"
    )
    return chosen, [note]


def _worth(given: str, reporting: str, rates: Mapping[str, float], told: Sequence[str]) -> tuple[float, list[str]]:
    """What one unit of the capital's currency is worth in the reporting currency at the first prices, and what to say of it."""
    if given == reporting or told:  # told: the wish could not be kept, and the note says how the capital is taken
        return 1.0, []
    if rates.get(given, 0.0) > 0.0:
        return rates[given], [
            f"the capital in {given} is dealt out at the first prices: {rates[given]:.10g} {reporting} for one {given}"
        ]
    return 1.0, [f"the tape cannot price {given}: the capital is taken as {reporting}"]


def spread_capital(
    capital: float,
    reporting: str,
    instruments: Sequence[Instrument],
    first: Sequence[float],
    rights: dict[str, tuple[int, ...]],
    config: Config,
) -> dict[tuple[str, str], float]:
    """Opening balances worth `capital`: equal parts a venue, half in quote currencies, half in what is traded there.

    Strategies that only buy first get all of it in quote currencies, and so does a contract, which needs no coins to be sold.
    Rates are those of the tape's first prices.
    """
    rates = first_rates(reporting, instruments, first)
    traded = sorted(
        {i for instruments_of_one in rights.values() for i in instruments_of_one if rates.get(instruments[i].quote, 0) > 0}
    )
    needs_stock = {
        i for name, instruments_of_one in rights.items() if (config.strategies[name].kind or name) in ("market_maker", "arbitrage")
        for i in instruments_of_one if instruments[i].payoff == codes.SPOT
    }  # fmt: skip
    venues = sorted({instruments[i].venue for i in traded})
    balances: dict[tuple[str, str], float] = {}
    for venue in venues:
        here = [i for i in traded if instruments[i].venue == venue]
        part = capital / len(venues) / len(here)
        for i in here:
            x = instruments[i]
            stock = 0.5 if i in needs_stock else 0.0
            balances[venue, x.quote] = balances.get((venue, x.quote), 0.0) + part * (1 - stock) / rates[x.quote]
            if stock:
                balances[venue, x.base] = balances.get((venue, x.base), 0.0) + part * stock / (first[i] * rates[x.quote])
    return {key: round(amount * MONEY) / MONEY for key, amount in balances.items()}


def first_rates(reporting: str, instruments: Sequence[Instrument], first: Sequence[float]) -> dict[str, float]:
    """Reporting units for one of each asset at the first prices, through at most three pairs, read forwards before backwards."""
    rates = {reporting: 1.0}
    for _ in range(3):
        for i, x in enumerate(instruments):
            if first[i] > 0 and x.quote in rates and x.base not in rates:
                rates[x.base] = first[i] * rates[x.quote]
        for i, x in enumerate(instruments):
            if first[i] > 0 and x.base in rates and x.quote not in rates:
                rates[x.quote] = rates[x.base] / first[i]
    return rates


# Strategies ---------------------------------------------------------------------------------------------------------------------


def _shares(config: Config, names: Sequence[str]) -> dict[str, float]:
    named = {name: float(share) for name in names if (share := config.strategies[name].capital_share) is not None}
    rest = [name for name in names if name not in named]
    left = max(0.0, 1.0 - sum(named.values()))
    return {**named, **{name: left / len(rest) for name in rest}}


def _seat(loaded: Loaded, name: str, strategy: StrategyConfig, kind: str, think_ns: int | None) -> Seated | None:
    path = loaded.python_file(name)
    if kind not in SEATS and path is None:
        return None
    parameters = {key: float(value) for key, value in strategy.parameters.items() if key not in SIZING}
    chosen = think_ns if think_ns is not None else strategy.think_ns
    return Seated(name, str(path.resolve()) if path else "", parameters, DEFAULT_THINK_NS if chosen is None else chosen)


def declared(kind: str, seat: Seated | None) -> list[str]:
    """The parameters a strategy takes: those its class or module names, and what every one of its sort takes."""
    if seat is None:
        return [*importlib.import_module(f"tradewind.strategy.library.{kind}").PARAMETERS, *COMMON]
    own = Swing().parameters if not seat.path else load_strategy(Path(seat.path), {}).parameters
    return [*own, *SIZING]


def _strategy(seat: Seated) -> Strategy:
    if not seat.path:
        return Swing(**seat.parameters)
    return load_strategy(Path(seat.path), seat.parameters)


def _strategy_setup(
    strategy: StrategyConfig, kind: str, seat: Seated | None, sizes: tuple[float, float], timeframes: tuple[str, ...],
    rights: tuple[int, ...],
) -> StrategySetup:  # fmt: skip
    """Parameters by kind. sizes: the strategy's share of the capital, and the largest order as a share of it."""
    share, order = sizes
    given = {key: float(value) for key, value in strategy.parameters.items()}
    if seat is not None:
        frame = wake_frame(_strategy(seat), timeframes)
        mine: dict[str, float] = {key: given[key] for key in SIZING if key in given}
        return StrategySetup(
            parameters={"fraction": min(share * 0.5, order * 0.9), **mine, "frames": float(1 << frame)}, instruments=rights
        )
    default = {
        "market_maker": {"every_ms": 100.0, "fraction": min(share / 20, order / 2), "skew_ticks": 0.5, "max_inventory": 5.0},
        "arbitrage": {"fraction": min(share / 10, order / 2)},
        "sma_cross": {"fraction": min(share * 0.9, order * 0.9)},
    }.get(kind, {})
    return StrategySetup(parameters={**default, **given}, instruments=rights)


# The rest -----------------------------------------------------------------------------------------------------------------------


def _limits(config: Config, worth: float, bars_only: bool) -> Limits:
    """Limits in the reporting currency; worth: how much of it one unit of the capital's is."""
    risk, amount = config.risk, config.run.capital.amount

    def money(size: Size) -> float:
        return float(size.of(amount)) * worth

    return Limits(
        max_notional=money(risk.max_order_notional), max_position=money(risk.max_position_notional),
        max_gross=money(risk.max_gross_notional), max_net=money(risk.max_net_notional), max_suspense=money(risk.max_suspense),
        max_open=risk.max_open_orders, orders_per_s=risk.orders_per_second, drawdown=float(risk.drawdown_halt_pct) / 100,
        max_age_ns=max(risk.max_data_age_ns, 5 * codes.MINUTE if bars_only else 0),
    )  # fmt: skip


def _stale(config: Config, bars_only: bool) -> int:
    return max(config.truth.stale_ns, 5 * codes.MINUTE) if bars_only else config.truth.stale_ns


def _collars(config: Config) -> tuple[int, int, int]:
    c = config.risk.collar_bps
    return round(c.A), round(c.B), round(c.C)


def _latencies(config: Config, instruments: Sequence[Instrument]) -> dict[str, Latency]:
    found = {}
    for name in {x.venue for x in instruments}:
        v = config.venue(name)
        found[name] = Latency(
            feed_ns=v.feed_ns,
            order_ns=v.order_ns,
            report_ns=v.report_ns,
            probability_queue=v.queue == "probability",
            partial_fills=v.partial_fills,
        )
    return dict(sorted(found.items()))


def first_row_ts(rows: Rows) -> int:
    """The journal time of a segment's first row."""
    return int(rows[0]["ts_local"])
