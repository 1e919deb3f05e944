"""How well the machine tells false data from true: its VERDICT rows over a tape, matched with labels.

A label is found by the first verdict that names its instrument (and channel, where the label names one) with a code of its
kind, from its start to `GRACE_NS` after its end. A verdict at an instrument that no label of its own explains is a false alarm.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tradewind.domain import codes, reasons
from tradewind.domain.errors import MachineFault
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.layout import Capacity
from tradewind.domain.rows import Rows, rows
from tradewind.engine.compose import Composition, Machine
from tradewind.engine.prelude import Prelude, Setup, StrategySetup
from tradewind.engine.snapshot import State, fresh_state
from tradewind.storage.recording import open_tape
from tradewind.storage.tape import Tape

from .faultlabels import KINDS, Label

GRACE_NS = 10 * codes.SECOND
STRETCH_NS = codes.MINUTE  # between two looks at the quality of the sources
OUT_ROWS = 1 << 14
SPANS = ("1m", "5m", "15m", "1h", "4h", "1d")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One VERDICT row in plain words; `stream` is the number of the stream it names."""

    ts_ns: int
    instrument: int
    stream: int
    code: int
    measured: float
    threshold: float


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine said of a tape: its verdicts, and each instrument's mean and least quality."""

    instruments: Sequence[Instrument]
    streams: Sequence[Stream]
    verdicts: list[Verdict]
    quality: dict[str, tuple[float, float]]
    days: float  # instrument-days
    rows: int
    seconds: float


# The machine's part ------------------------------------------------------------------------------------------------------------


def listen(tape: Tape, *, compiled: bool = True, machine: Machine | None = None, jump_bp: int = 300) -> Heard:
    """Plays the whole tape through a machine that trades nothing. Raises MachineFault where a `must` failed."""
    listed = list(tape.manifest.instruments)
    bars_only = not any(stream.channel in ("depth", "quote") for stream in tape.manifest.streams)
    machine = machine or judge(len(listed), len({x.venue for x in listed}), compiled=compiled)
    state = fresh_state(machine)
    out = rows(OUT_ROWS)
    segments = tape.manifest.segments
    prelude = Prelude(machine, setup_of(tape, machine, bars_only, jump_bp), segments[0].first_ts)
    _fed(machine, state, prelude.rows(), out)
    said: list[Rows] = []
    looks: list[Any] = []
    began = time.perf_counter()
    for part in tape.segments():
        ts = part["ts_local"]
        cuts = np.searchsorted(ts, np.arange(int(ts[0]) + STRETCH_NS, int(ts[-1]), STRETCH_NS))
        start = 0
        for stop in [*np.unique(cuts).tolist(), len(part)]:
            said += _fed(machine, state, part[start:stop], out)
            looks.append(state[0]["trust"]["quality"][: len(listed)].copy())
            start = stop
    last = segments[-1].last_ts
    clock = rows(1)
    clock["kind"], clock["marks"], clock["strategy"], clock["ts_local"] = codes.CLOCK, codes.WHOLE, -1, last + 2 * codes.SECOND
    said += _fed(machine, state, clock, out)
    taken = np.concatenate(said) if said else rows(0)
    quality = np.array(looks)
    return Heard(
        instruments=listed, streams=tape.manifest.streams, rows=tape.rows, seconds=time.perf_counter() - began,
        verdicts=[_plain(row) for row in taken], days=len(listed) * (last - segments[0].first_ts) / codes.DAY,
        quality={x.name: (float(quality[:, i].mean()), float(quality[:, i].min())) for i, x in enumerate(listed)},
    )  # fmt: skip


def judge(n_instruments: int, n_venues: int = 1, *, compiled: bool = True) -> Machine:
    """The usual composition, large enough; it is given no strategy to run."""
    return Machine(
        Composition(capacity=Capacity(instruments=32 if n_instruments <= 32 else 64, venues=4 if n_venues <= 4 else 8)),
        compiled=compiled,
    )


def setup_of(tape: Tape, machine: Machine, bars_only: bool, jump_bp: int) -> Setup:
    """Nothing but what truth asks for. One strategy has rights, so that time passes; it is never woken."""
    listed = list(tape.manifest.instruments)
    currencies = [x.quote for x in listed]
    assets = {*currencies, *(x.base for x in listed)}
    idle = StrategySetup(instruments=tuple(range(len(listed))))
    n = len(machine.composition.strategies)
    seat = machine.composition.strategies.index("python") if "python" in machine.composition.strategies else 0
    return Setup(
        instruments=listed, reporting="USD" if "USD" in assets else max(set(currencies), key=currencies.count),
        strategies=[idle if k == seat else StrategySetup() for k in range(n)], bars_only=bars_only, jump_bp=jump_bp,
        stale_ns=5 * codes.MINUTE if bars_only else 10 * codes.SECOND, timeframes=_timeframes(tape),
        book_depths={str(k): int(v) for k, v in (tape.manifest.notes.get("book_depth") or {}).items()},
    )  # fmt: skip


def _timeframes(tape: Tape) -> tuple[str, ...]:
    """The tape's own, shortest first, filled up with longer ones."""
    found: set[int] = set()
    for part in tape.segments():
        bars = part[part["kind"] == codes.BAR]
        found |= set(np.unique(bars["strategy"]).tolist())
    named = [codes.TIMEFRAME_NAMES[k] for k in sorted(found)]
    longest = max(found) if found else -1
    named += [name for name in SPANS if codes.TIMEFRAME_NAMES.index(name) > longest]
    return tuple(named[:3])


def _fed(machine: Machine, state: State, part: Rows, out: Rows) -> list[Rows]:
    """Feeds rows; the VERDICT rows of it."""
    said, i, clock = [], 0, state["clock"]
    while i < len(part):
        i, why = machine.run(state, part, i, len(part), out)
        told = out[: int(clock["n_out"][0])]
        told = told[told["kind"] == codes.VERDICT]
        if len(told):
            said.append(told.copy())
        if why == codes.FAULT:
            raise MachineFault(reasons.sentence(int(clock["fault"][0])), where=f"row {int(clock['fault_at'][0])}")
    return said


def _plain(row: Any) -> Verdict:
    return Verdict(
        ts_ns=int(row["ts_local"]), instrument=int(row["instrument"]), stream=int(row["source"]), code=int(row["value"]),
        measured=int(row["price"]) * 1e-9, threshold=int(row["quantity"]) * 1e-9,
    )  # fmt: skip


# Matching ----------------------------------------------------------------------------------------------------------------------


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A label and when it was found (-1: never)."""

    label: Label
    found_ns: int

    @property
    def delay_s(self) -> float:
        """Seconds from the fault's start to the verdict."""
        return max(0, self.found_ns - self.label.start_ns) / codes.SECOND


def matched(heard: Heard, labels: Sequence[Label]) -> tuple[list[Match], list[Verdict]]:
    """Every label with its verdict, and the verdicts nothing explains."""
    by_instrument: dict[int, list[Verdict]] = defaultdict(list)
    for verdict in heard.verdicts:
        by_instrument[verdict.instrument].append(verdict)
    explained: set[int] = set()
    matches = []
    for label in labels:
        found = -1
        for i, instrument in enumerate(heard.instruments):
            if not label.befalls(instrument):
                continue
            for verdict in by_instrument[i]:
                if label.start_ns <= verdict.ts_ns <= label.end_ns + GRACE_NS:
                    explained.add(id(verdict))
                    if (found < 0 or verdict.ts_ns < found) and verdict.code in KINDS[label.kind] and _same(label, verdict, heard):
                        found = verdict.ts_ns
        matches.append(Match(label=label, found_ns=found))
    return matches, [verdict for verdict in heard.verdicts if id(verdict) not in explained]


def _same(label: Label, verdict: Verdict, heard: Heard) -> bool:
    """Whether the verdict's stream is the one the label names, as far as it names one."""
    venue, _, channel = label.source.partition("/")
    stream = heard.streams[verdict.stream] if 0 <= verdict.stream < len(heard.streams) else None
    return stream is None or (venue in ("", stream.venue) and channel in ("", stream.channel))


def scored(heard: Heard, labels: Sequence[Label]) -> dict[str, Any]:
    """The figures of the command contract, and what is behind them. `recall` is of all that is hard; `recall_beyond_nature` leaves
    out what the source does as often of its own."""
    matches, alarms = matched(heard, labels)
    hard = [m for m in matches if m.label.hard]
    told_apart = [m for m in hard if not m.label.by_nature]
    kinds = {kind: [m for m in matches if m.label.kind == kind] for kind in KINDS if any(m.label.kind == kind for m in matches)}
    return {
        "recall": _recall(hard), "recall_all": _recall(matches), "labels": len(matches), "hard": len(hard),
        "recall_beyond_nature": _recall(told_apart), "hard_beyond_nature": len(told_apart),
        "false_alarms": len(alarms), "false_alarms_per_instrument_day": len(alarms) / heard.days if heard.days > 0 else 0.0,
        "instrument_days": heard.days, "delay": {kind: _delay(of) for kind, of in kinds.items()},
        "kinds": {kind: _kind(of) for kind, of in kinds.items()}, "soft": _curve([m for m in matches if not m.label.hard]),
        "missed": [msgspec.to_builtins(m.label) for m in hard if m.found_ns < 0][:100],
        "alarms": dict(Counter(f"{heard.instruments[v.instrument].name} {reasons.name(v.code)}" for v in alarms).most_common(50)),
        "verdicts": dict(Counter(reasons.name(v.code) for v in heard.verdicts)),
        "quality": {name: {"mean": round(mean, 4), "least": round(least, 4)} for name, (mean, least) in heard.quality.items()},
        "rows": heard.rows, "rows_per_s": heard.rows / max(heard.seconds, 1e-9),
    }  # fmt: skip


def _recall(matches: Sequence[Match]) -> float | None:
    return sum(m.found_ns >= 0 for m in matches) / len(matches) if matches else None


def _delay(matches: Sequence[Match]) -> dict[str, float | None]:
    delays = [m.delay_s for m in matches if m.found_ns >= 0]
    if not delays:
        return {"median_s": None, "p90_s": None, "most_s": None}
    return {"median_s": float(np.median(delays)), "p90_s": float(np.percentile(delays, 90)), "most_s": max(delays)}


def _kind(matches: Sequence[Match]) -> dict[str, Any]:
    hard = [m for m in matches if m.label.hard]
    return {"labels": len(matches), "hard": len(hard), "found": sum(m.found_ns >= 0 for m in matches), "recall": _recall(hard)}


def _curve(soft: Sequence[Match]) -> list[dict[str, Any]]:
    """Recall of soft labels by kind and power of two of their magnitude."""
    groups: dict[tuple[str, int], list[Match]] = defaultdict(list)
    for m in soft:
        size = float(m.label.params.get("magnitude", 0.0))
        groups[m.label.kind, int(np.floor(np.log2(size))) if size > 0 else -99].append(m)
    return [
        {"kind": kind, "magnitude_from": 2.0**power if power > -99 else 0.0, "labels": len(of), "recall": _recall(of)}
        for (kind, power), of in sorted(groups.items())
    ]


def score(tape: Path, labels: Sequence[Label], *, compiled: bool = True) -> dict[str, Any]:
    """Plays the tape and scores what was said of it."""
    return scored(listen(open_tape(tape), compiled=compiled), labels)


def alarms(heard: Heard, labels: Sequence[Label] = ()) -> Iterator[str]:
    """Every verdict nothing explains, as a person reads it."""
    for v in matched(heard, labels)[1]:
        why = reasons.sentence(v.code, v.measured, v.threshold)
        yield f"{v.ts_ns} {heard.instruments[v.instrument].name}: {reasons.name(v.code)}: {why}"
