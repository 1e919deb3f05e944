"""`tradewind backtest`: the configured strategies over a tape, as fast as the machine goes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from tradewind import __version__
from tradewind.domain import codes, layout, reasons
from tradewind.domain.errors import BadData, StrategyFault
from tradewind.domain.instruments import MONEY
from tradewind.domain.rows import words
from tradewind.monitor import report
from tradewind.monitor.parts import parts, whole
from tradewind.monitor.statistics import statistics, to_builtins
from tradewind.monitor.words import moment
from tradewind.storage.journal import JournalHeader, JournalReader, JournalWriter, TapeReference
from tradewind.storage.recording import open_tape
from tradewind.storage.tape import Tape

from . import trials
from .config import Loaded
from .options import BacktestOptions
from .overdue import watched
from .planning import Plan, first_row_ts, plan
from .recorder import Recorder
from .session import Session, stretches

if TYPE_CHECKING:
    import polars as pl

HOLDINGS = "(holdings)"  # the line of `pnl` for what was dealt out at the start
SAMPLES = 4000  # points of the equity curve
Say = Callable[[str], None]


class Result(msgspec.Struct, kw_only=True):
    """What a backtest leaves: figures by the command contract, the record behind them and where its files are."""

    rows: int
    rows_per_s: float
    orders: int
    fills: int
    pnl: dict[str, float]
    statistics: dict[str, Any]
    warnings: list[str]
    digest: str
    machine_hash: str
    journal: str
    report: str
    equity: float
    quarantined: int
    strategies: list[str]
    record: Any = None
    table: Any = None

    @property
    def equity_curve(self) -> pl.DataFrame:
        """ts_ns, equity, exposure and `pnl:<strategy>`, in the reporting currency; one row a sample."""
        return self.record.equity  # type: ignore[no-any-return]

    @property
    def fills_frame(self) -> pl.DataFrame:
        """One row a fill: when, which order, whose, where, side, price, quantity, cost, fee, maker, slippage."""
        return whole(self.record.fills)

    @property
    def orders_frame(self) -> pl.DataFrame:
        """One row an order: when, whose, where, side, price, quantity, how it ended and why it was sent."""
        return whole(self.record.orders)

    @property
    def last_order(self) -> int | None:
        """The id of the last order that was sent."""
        last = None
        for part in parts(self.record.orders, "order_id"):
            last = int(part["order_id"][-1]) if part.height else None
        return last

    @property
    def last_price(self) -> tuple[str, str] | None:
        """An instrument and when it was priced last, in UTC to the second: what `why-not` can be asked about."""
        prices = self.record.prices
        if not prices.height:
            return None
        return str(prices["instrument"][-1]), str(np.datetime64(int(prices["ts_ns"][-1]) // codes.SECOND, "s"))

    def summary(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name not in ("record", "table")}


def backtest(options: BacktestOptions, loaded: Loaded, *, say: Say = lambda text: None) -> Result:
    """Runs the whole tape and writes journal and report into a new folder. Raises the errors of `domain.errors`."""
    tape = open_tape(options.tape)
    if tape.rows == 0:
        raise BadData("the tape is empty", where=str(options.tape), expected="at least one row", todo="import it again")
    made = plan(loaded, tape, options.think)
    for note in made.notes:
        say(note)
    folder = new_folder(Path(loaded.config.run.out), "backtest")
    return run_tape(tape, made, folder, loaded, say=say)


def new_folder(out: Path, name: str) -> Path:
    """A fresh folder for one run below `out`."""
    out.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = out / f"{name}-{number:04d}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError


def header(made: Plan, session_machine: Any, tape: Tape | None, run: str) -> JournalHeader:
    """The journal's header for a plan."""
    return JournalHeader(
        run=run, machine_hash=session_machine.hash, build=session_machine.build, configuration=made.to_json(),
        instruments=list(made.setup.instruments), streams=list(tape.manifest.streams) if tape else [],
        tape=TapeReference.of(tape) if tape else None, made_by=f"tradewind {__version__}", created_ts=time.time_ns(),
    )  # fmt: skip


def run_tape(tape: Tape, made: Plan, folder: Path, loaded: Loaded, *, say: Say) -> Result:
    """Plays a tape through a plan's machine, journals it, and writes the report."""
    machine = made.machine()
    say(f"machine {machine.hash}: composing" if is_cold(machine) else f"machine {machine.hash}")
    with JournalWriter(folder / "journal", header(made, machine, tape, folder.name), durability(loaded)) as writer:
        recorder = Recorder(writer)
        session = Session(machine, made.setup, first_row_ts(tape.segment(0)), made.make_seats(), recorder)
        try:
            with watched(say, loaded.config.run.answer_limit_ns):
                took = play_all(tape, session, recorder)
        except StrategyFault as error:
            error.todo = f"mend the strategy; what happened before is in {folder / 'journal'}"
            raise
    return conclude(session, recorder, made, folder, loaded, rows_per_s=session.rows / max(took, 1e-9))


def durability(loaded: Loaded) -> Literal["process", "power"]:
    """What a journalled row survives."""
    return "power" if loaded.config.journal.durability == "power" else "process"


def is_cold(machine: Any) -> bool:
    """Whether the machine is still to be compiled here."""
    from tradewind.engine.compose import default_cache

    folder = (machine.cache or default_cache()) / f"m_{machine.build}"
    return not any(folder.glob("__pycache__/*.nbi"))


def play_all(tape: Tape, session: Session, recorder: Recorder) -> float:
    """Plays every segment with equity samples between stretches; returns seconds spent in the machine."""
    segments = tape.manifest.segments
    every = max((segments[-1].last_ts - segments[0].first_ts) // SAMPLES, 1)
    took = 0.0
    for number, rows in enumerate(tape.segments()):
        ts = words(rows)[:, 3]
        start = 0
        for stop in [*stretches(rows, every), len(rows)]:
            if stop > start:
                began = time.perf_counter()
                session.play(rows, number, start, stop)
                took += time.perf_counter() - began
                recorder.sample(session, int(ts[stop - 1]))
                start = stop
    session.settle(segments[-1].last_ts + codes.SECOND)
    return took


def conclude(session: Session, recorder: Recorder, made: Plan, folder: Path, loaded: Loaded, *, rows_per_s: float) -> Result:
    """Statistics, report, trials entry and the result of a finished session."""
    family = "+".join(made.names)
    count = trials.add(
        Path(loaded.config.run.out),
        family,
        made.to_json(),
        session.machine.hash,
        recorder.samples[-1][1] if recorder.samples else 0.0,
    )
    recorder.sample(session, int(session.state[0]["clock"]["now"]))  # what arrived while the run settled counts too
    odd = [*unexplained(session), *stopped(session)]
    record = recorder.record(
        session, JournalReader(folder / "journal").rows(), folder, made.names, title=f"Tradewind · {folder.name}",
        capital=recorder.samples[0][1] if recorder.samples else made.capital,
        warnings=(*made.notes, *odd), journal=str(folder / "journal"), trials=count,
        think_ns={made.names[k]: seat.think_ns for k, seat in made.seats.items()}, config=msgspec.json.format(made.to_json(),
        indent=2),
    )  # fmt: skip
    measured = statistics(record)
    page = report.write(record, measured, folder / "report.html")
    table = _table(measured)
    worths = session.worths()
    s = session.state[0]
    return Result(
        rows=session.rows, rows_per_s=rows_per_s, orders=int(s["count"]["submits"]), fills=int(s["count"]["fills"]),
        pnl=_shared(made.names, worths, measured.whole.pnl.value), statistics=to_builtins(measured),
        warnings=list(dict.fromkeys([*made.notes, *odd, *(caution.text for caution in measured.cautions)])), digest=session.digest,
        machine_hash=session.machine.hash,
        journal=str(folder / "journal"), report=str(page), equity=session.equity(), quarantined=int(s["count"]["verdicts"]),
        strategies=made.names, record=record, table=table,
    )  # fmt: skip


def unexplained(session: Session) -> list[str]:
    """A sentence for every asset whose account SUSPENSE is not empty."""
    names, suspense = session.prelude.names, session.state[0]["fact"]["ledger"][layout.SUSPENSE]
    return [
        f"{-int(suspense[venue, asset]) / MONEY:+g} {names.assets[asset]} at {names.venues[venue]} came of fills of unknown orders"
        for venue, asset in np.argwhere(suspense).tolist()
    ]


def _shared(names: list[str], worths: list[float], whole: float | None) -> dict[str, float]:
    """Profit by strategy, of what was dealt out at the start and nobody traded, and in all: the parts sum to it."""
    traded = sum(worths)
    total = traded if whole is None else whole
    return {**dict(zip(names, worths, strict=True)), HOLDINGS: total - traded, "all": total}


def stopped(session: Session) -> list[str]:
    """A sentence where the ladder stands below its first rung at the end: from then on little or nothing was traded."""
    ladder = session.state[0]["fact"]["ladder"]
    rung = int(ladder["rung"])
    if rung == codes.ACTIVE:
        return _restrained(session)
    since, cause = moment(int(ladder["since"])), reasons.name(int(ladder["cause"]))
    name = codes.RUNG_NAMES[rung]
    held = f"{name} since {since} ({cause}): from then on the risk ladder stood below ACTIVE and held orders back"
    return [held, *_restrained(session)]


def _restrained(session: Session) -> list[str]:
    """A sentence where instruments were granted less than everything at the end."""
    granted = session.state[0]["fact"]["rule"][: len(session.instruments), layout.ACCESS].tolist()
    told = zip(session.instruments, granted, strict=True)
    held = [f"{x.name} {codes.RUNG_NAMES[min(rung, codes.DEAD)]}" for x, rung in told if rung > codes.ACTIVE]
    return [f"{', '.join(held)} at the end (ACCESS_LOST): something of the market or its venue was lost"] if held else []


def _table(measured: Any) -> Any:
    from tradewind.monitor.tables import table

    return table(measured)
