"""What each function of the Python API can be told. The command line makes its options and its help from these Structs.

Every function takes one of these and, where it runs a machine, the `Loaded` configuration that `configured` gives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec

from tradewind.domain import codes
from tradewind.domain.errors import BadUse

from .config import Declared, Loaded, Override, check_venues, load, selected
from .config.units import Duration, Wrong

VENUES = (
    "binance", "binance-usdm", "binance-us", "kraken", "kraken-futures", "coinbase", "bitstamp", "bitfinex", "bybit", "gemini",
    "okx",
)  # fmt: skip
"""Venues that formats name; a file of bars, a package or the bridge may bring others."""
FORMATS = ("binance", "binance-usdm", "coinbase", "cryptofeed", "kraken", "ohlcv")


class Told(msgspec.Struct, frozen=True):
    """How a field looks on the command line: its help, its option names ("" is the field's name), whether it is an argument."""

    doc: str
    option: str = ""
    argument: bool = False


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """What every run of the machine can be told."""

    config: Annotated[Path | None, Told("Configuration file instead of ./tradewind.toml.")] = None
    capital: Annotated[str | None, Told('Starting capital, e.g. "10000 USD".')] = None
    currency: Annotated[str | None, Told("Reporting currency.")] = None
    fee_tier: Annotated[
        str | None, Told("Fee tier of every venue that names none: 30-day volume in USD such as 50k, or a name such as vip1.")
    ] = None
    strategy: Annotated[list[str], Told("Only this strategy trades; may be repeated.")] = msgspec.field(default_factory=list)
    seed: Annotated[int | None, Told("Seed of everything random.")] = None
    out: Annotated[Path | None, Told("Folder that gets one new folder for each run.")] = None
    set: Annotated[list[str], Told("Any key of the configuration, KEY=VALUE; may be repeated.")] = msgspec.field(
        default_factory=list
    )


class DemoOptions(Configured, frozen=True, kw_only=True):
    """A seeded world of three venues, three strategies, a live view and a report."""

    duration: Annotated[str, Told('How much of the world\'s time passes, e.g. "20s".')] = "20s"
    source: Annotated[
        str, Told("world: a seeded one; live, sandbox, or auto: real venues where they can be reached, else the sandbox.")
    ] = "world"

    @property
    def duration_ns(self) -> int:
        """`duration` in ns. Raises BadUse where it is shorter than a second: a plain number is ns."""
        value = duration_ns(self.duration, "--duration")
        if value < codes.SECOND:
            raise BadUse(
                f"{self.duration!r} is less than a second of the world",
                where="--duration",
                expected="at least 1s",
                todo="add s or m",
            )
        return value


class Thinking(Configured, frozen=True, kw_only=True):
    """A run of the configured strategies."""

    think_ns: Annotated[str | None, Told("Time Python strategies take to answer; marks the report if 0.")] = None

    @property
    def think(self) -> int | None:
        """`think_ns` as ns; None leaves each strategy its own."""
        return None if self.think_ns is None else duration_ns(self.think_ns, "--think-ns")


class BacktestOptions(Thinking, frozen=True, kw_only=True):
    """The configured strategies over a recorded tape."""

    tape: Annotated[Path, Told("Tape folder, as `tradewind import` makes it, or a recording.")]


class PaperOptions(Thinking, frozen=True, kw_only=True):
    """The same run at the pace of time: over live feeds, the sandbox, or a tape."""

    tape: Annotated[Path | None, Told("Tape folder or recording; live feeds without it.")] = None
    source: Annotated[
        str, Told("Live rows: live (the real venues), sandbox, or auto: live where it can be reached; or bridge:EXCHANGE.")
    ] = "auto"
    venues: Annotated[str, Told("Venues to follow live.")] = "binance,kraken,coinbase"
    symbols: Annotated[str, Told("Symbols to follow live, venue:SYMBOL with commas; a few large ones without it.")] = ""
    duration: Annotated[str | None, Told("Stop after this much time; the whole tape, or until a signal, without it.")] = None
    speed: Annotated[float, Told("Tape seconds per second; 0 is as fast as it goes.")] = 1.0

    @property
    def duration_ns(self) -> int | None:
        """`duration` in ns; None has no end of its own."""
        return None if self.duration is None else duration_ns(self.duration, "--duration")


class RecordOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Live feeds onto disk: a recording that backtest, paper and replay take like a tape."""

    out: Annotated[Path, Told("Folder to make.")]
    venues: Annotated[str, Told("Venues to follow.")] = "binance,kraken,coinbase"
    symbols: Annotated[str, Told("Symbols to follow, venue:SYMBOL with commas; a few large ones without it.")] = ""
    source: Annotated[str, Told("live (the real venues), sandbox, or auto: live where it can be reached; or bridge:EXCHANGE.")] = (
        "auto"
    )
    duration: Annotated[str | None, Told("Stop after this much time; without it at a signal.")] = None
    seed: Annotated[int, Told("Seed of the sandbox.")] = 1

    @property
    def duration_ns(self) -> int | None:
        """`duration` in ns."""
        return None if self.duration is None else duration_ns(self.duration, "--duration")


class SweepOptions(BacktestOptions, frozen=True, kw_only=True):
    """One backtest per combination of parameters, through the same machine."""

    grid: Annotated[list[str], Told("A strategy's parameter and its values, STRATEGY.PARAMETER=A,B,C; may be repeated.")]
    workers: Annotated[int, Told("Processes; 0 is one per core.")] = 0


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded exchange files become one tape folder."""

    format: Annotated[str, Told(f"One of {', '.join(FORMATS)}.", argument=True)]
    files: Annotated[list[Path], Told("Recorded files; those of one stream are joined in time order.", argument=True)]
    out: Annotated[Path, Told("Tape folder to make.")]


class ReplayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The machine again over a journal, its commands compared with the recorded ones."""

    journal: Annotated[Path, Told("Journal folder of a run.", argument=True)]
    facts: Annotated[bool, Told("Only fold the facts: works under any version.")] = False
    strategies: Annotated[bool, Told("Also run the recorded wakes of Python strategies again.")] = False


class WhyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order was sent."""

    order: Annotated[str, Told("Order id, as reports and journals print it.", argument=True)]
    journal: Annotated[Path, Told("Journal folder of the run.")]


class WhyNotOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Why there was no order on an instrument at a time."""

    instrument: Annotated[str, Told('Instrument, e.g. "kraken:BTC/USD".', argument=True)]
    time: Annotated[str, Told("Time in UTC (2024-08-05T06:30:00) or ns.", argument=True)]
    journal: Annotated[Path, Told("Journal folder of the run.")]
    strategy: Annotated[str | None, Told("Only this strategy.")] = None


class VerifyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The hashes, CRCs and chain of a tape, recording or journal, recomputed; a journal's money by an independent auditor."""

    folder: Annotated[Path, Told("Tape, recording or journal folder.", argument=True)]
    bytes_only: Annotated[bool, Told("Do not audit a journal's money.")] = False


class BenchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Tradewind's own figures in the form of the peer benchmarks."""

    item: Annotated[str | None, Told("A bars, B book, D indicators, rooms, start, memory; all without it.", argument=True)] = None
    n: Annotated[int | None, Told("Rows instead of the item's own number.")] = None
    full: Annotated[bool, Told("Also what takes minutes and gigabytes: memory over 50 M rows.")] = False


class ScaffoldOptions(msgspec.Struct, frozen=True, kw_only=True):
    """A small working Python strategy to change."""

    name: Annotated[str, Told("Name of the strategy: small letters, digits, underscores.", argument=True)]
    out: Annotated[Path, Told("Folder for the files.")] = Path("strategies")


class DoctorOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this machine and configuration can run Tradewind."""

    config: Annotated[Path | None, Told("Configuration file instead of ./tradewind.toml.")] = None
    paths: Annotated[bool, Told("Print every folder Tradewind reads or writes.")] = False


class SandboxOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Emulated venues on this computer: REST and WebSocket as Binance, Kraken and Coinbase speak them, until Ctrl-C."""

    venues: Annotated[str, Told("Names with commas between them.")] = "binance,kraken,coinbase"
    port_base: Annotated[int, Told("Port of the first venue, the next ones follow; 0 takes free ones.")] = 0
    seed: Annotated[int, Told("Seed of the order flow.")] = 1
    faults: Annotated[Path | None, Told("Script of faults, TOML or JSON.")] = None
    speed: Annotated[float, Told("Seconds of the venues per second.")] = 1.0
    orders_per_second: Annotated[float, Told("Orders of each pair per second.")] = 12.0
    tape: Annotated[Path | None, Told("Tell a recorded tape again instead of the order flow.")] = None
    reel: Annotated[float, Told("Play prepared messages instead, this many per second, once every venue has a client.")] = 0.0


class TruthScoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Play a tape through the machine and score what it did not believe against labels of what was false."""

    tape: Annotated[Path, Told("Folder of the tape.")]
    faults: Annotated[Path | None, Told("Labels, one JSON object a line; without them every verdict is a false alarm.")] = None


class CheckOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Run the conformance suite over a plug-in: each check with pass or fail; exit 1 where one fails."""

    what: Annotated[
        str, Told("venue:NAME, a venue of ours or of an installed package; or data:NAME, a series of one.", argument=True)
    ]


class VenueOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a venue: what it is sent, which of its rules are kept, and which of them nobody confirmed."""

    name: Annotated[str, Told("A venue of ours, of an installed package, or bridge:EXCHANGE.", argument=True)]
    page: Annotated[Path | None, Told("File to write the same to, as a page in Markdown.")] = None


class TruthPlantOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Copy a tape with labelled faults of every kind its rows allow."""

    tape: Annotated[Path, Told("Folder of the tape to copy.")]
    out: Annotated[Path, Told("Folder of the copy.")]
    faults: Annotated[Path, Told("File the labels are written to.")]
    seed: Annotated[int, Told("What is planted, and where, follows this number alone.")] = 1
    every: Annotated[float, Told("Seconds from one fault to the next; 0: thirty bars, or 25 s of anything finer.")] = 0.0
    kind: Annotated[list[str], Told("Only this kind of fault; may be repeated.")] = msgspec.field(default_factory=list)


class ShowOptions(Configured, frozen=True, kw_only=True):
    """The configuration that holds here."""

    origin: Annotated[bool, Told("Say where each value came from.")] = False


def duration_ns(text: str, option: str) -> int:
    """The ns of a duration given to `option`. Raises BadUse."""
    try:
        value = Duration(1 if option == "--duration" else 0).read(text)
    except Wrong as wrong:
        raise BadUse(wrong.what, where=option, expected=wrong.expected, todo="give a number and its unit") from None
    return value or 0


def configured(options: Configured, environment: Mapping[str, str], declared: Declared | None = None) -> Loaded:
    """The configuration for `options` in the current folder, with only the chosen strategies enabled. Raises BadUse."""
    pairs = [
        ("run.capital", options.capital, "--capital"), ("run.reporting_currency", options.currency, "--currency"),
        ("run.fee_tier", options.fee_tier, "--fee-tier"), ("run.seed", options.seed, "--seed"), ("run.out", options.out, "--out"),
    ]  # fmt: skip
    overrides = [Override(key, str(value), option) for key, value, option in pairs if value is not None]
    overrides += [_override(text) for text in options.set]
    loaded = load(options.config, environment=environment, overrides=overrides, declared=declared, chosen=options.strategy)
    unknown = set(loaded.config.venues) - set(VENUES)
    check_venues(loaded, (*VENUES, *_brought(getattr(options, "tape", None), unknown)) if unknown else VENUES)
    return selected(loaded, options.strategy)


def _brought(tape: Path | None, names: Collection[str]) -> Iterator[str]:
    """Venues of the tape and of installed packages, and those of `names` that are the bridge's."""
    from tradewind.venues.plugins import installed

    yield from (name for name in names if name.startswith("bridge."))
    yield from installed()
    with suppress(OSError, msgspec.MsgspecError):  # what is wrong with the tape is told when it is opened
        yield from msgspec.json.decode((tape / "tape.json").read_bytes(), type=_Brought).venues if tape else ()


class _Venue(msgspec.Struct):
    venue: str


class _Brought(msgspec.Struct):
    """What is read of a tape's manifest here."""

    instruments: list[_Venue]

    @property
    def venues(self) -> set[str]:
        return {x.venue for x in self.instruments}


def _override(text: str) -> Override:
    key, equals, value = text.partition("=")
    if not equals:
        raise BadUse(
            f"{text!r} sets nothing", where="--set", expected="KEY=VALUE such as risk.max_open_orders=10", todo="add = and a value"
        )
    return Override(key.strip(), value, f"--set {key.strip()}")
