"""A session: one machine, its venue, its Python strategies and its journal, fed with tape segments.

Backtest, paper over a tape, the demo and recovery are this one class; they differ in where rows come from, how fast, and
what looks on. Rows of the journal leave the compiled driver in the order things happened and are appended as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tradewind.domain import codes, layout, ports
from tradewind.domain.errors import MachineFault, NoRoom
from tradewind.domain.instruments import Instrument
from tradewind.domain.reasons import sentence
from tradewind.domain.rows import ROW, W_PRICE, W_QUANTITY, W_REF, W_TS_LOCAL, W_VALUE, Rows, rows, words
from tradewind.engine.compose import Machine
from tradewind.engine.prelude import Prelude, Setup
from tradewind.engine.snapshot import State, digest, fresh_state, fresh_venue
from tradewind.strategies.base import Bar, Market, Strategy, Target, memory_of

OUT_ROWS = 1 << 16
Sink = ports.Sink


class Seat:
    """A Python strategy at its seat: its object, its view, its thinking time."""

    def __init__(self, k: int, strategy: Strategy, market: Market, think_ns: int) -> None:
        self.k, self.strategy, self.market, self.think_ns = k, strategy, market, think_ns
        self.memory_dtype = memory_of(strategy)
        self.busy_until = 0  # one worker: questions that come together are answered one after another
        self.answers_at: dict[int, int] = {}  # by instrument: when its last answer arrives; until then it is not asked again
        self.skipped = 0


Answers = Callable[["Seat", int, Bar], "Target | None"]


class Session:
    """One run. `state` and `physics` are the machine's and the venue's records."""

    def __init__(
        self,
        machine: Machine,
        setup: Setup,
        ts_local: int,
        seats: dict[int, tuple[Strategy, int]] | None = None,
        journal: Sink | None = None,
    ) -> None:
        self.machine, self.setup, self.journal = machine, setup, journal
        self.state: State = fresh_state(machine)
        self.physics: State = fresh_venue(machine)
        self.out = rows(OUT_ROWS)
        self._words = words(self.out)
        self._kinds, self._strategies, self._numbers = (self.out[name] for name in ("kind", "strategy", "instrument"))
        self._drive = machine.drive
        self._clock = self.state["clock"]
        self._n_out = self._clock["n_out"]
        self.prelude = Prelude(machine, setup, ts_local)
        self.prelude.set_up_venue(self.physics)
        self.instruments: list[Instrument] = list(setup.instruments)
        self._scales = [(10.0**x.price_exponent, 10.0**x.quantity_exponent) for x in self.instruments]
        self.seats = {
            k: Seat(k, strategy, Market(self.state, k, self.instruments), think) for k, (strategy, think) in (seats or {}).items()
        }
        self.rows = 0
        self.emitted = 0
        self.at = (0, 0)  # segment and index of the next tape row
        self._begin()

    def _begin(self) -> None:
        """The prelude goes straight into the machine and, as itself, into the journal."""
        prelude = self.prelude.rows()
        scratch = rows(OUT_ROWS)
        start = 0
        while start < len(prelude):
            start, why = self._drive(self.state, self.physics, prelude, start, len(prelude), 0, scratch)
            self._check(why)
        if self.journal is not None:
            self.journal.append(prelude)

    # Feeding -------------------------------------------------------------------------------------------------------------

    def play(self, tape: Rows, segment: int, start: int = 0, stop: int | None = None) -> None:
        """Plays rows [start, stop) of a tape segment. Raises MachineFault where a `must` failed."""
        stop = len(tape) if stop is None else stop
        i = start
        while i < stop:
            i, why = self._drive(self.state, self.physics, tape, i, stop, segment, self.out)
            n = self._n_out.item(0)
            if n and self.journal is not None:
                self.journal.append(self.out[:n])
            self.emitted += n
            if why == codes.WOKEN:
                self._wake(n)
            elif why == codes.FAULT:
                self._check(why)
        self.rows += stop - start
        self.at = (segment, stop)

    def settle(self, until_ns: int) -> None:
        """Lets what is still under way at the venue arrive, up to a time: one CLOCK row."""
        clock = rows(1)
        clock[0]["kind"], clock[0]["marks"], clock[0]["strategy"], clock[0]["ts_local"] = codes.CLOCK, codes.WHOLE, -1, until_ns
        scratch = rows(OUT_ROWS)
        i = 0
        while i < 1:
            i, why = self._drive(self.state, self.physics, clock, i, 1, -2, scratch)
            n = int(self._clock["n_out"][0])
            kept = scratch[:n]
            if self.journal is not None and n:
                inlined = kept["kind"] == codes.TAPE
                if inlined.any():
                    kept = kept.copy()
                    kept[inlined] = clock[0]
                self.journal.append(kept, proof_of(self.state))
            self._check(why)

    def _check(self, why: int) -> None:
        if why != codes.FAULT:
            return
        fault = int(self.state[0]["clock"]["fault"]) or int(self.physics[0]["clock"]["fault"])
        at = int(self.state[0]["clock"]["fault_at"])
        raise MachineFault(sentence(fault), where=f"row {at}", todo="the run is halted; keep its journal and report it")

    # Python strategies ---------------------------------------------------------------------------------------------------

    def _wake(self, n: int) -> None:
        """Asks the strategies whose WAKE rows came last, and puts their answers on their way."""
        j = n - 1
        kind = self._kinds.item  # items of columns: a row's record costs as much as a whole compiled step
        while j >= 0 and kind(j) != codes.WAKE:
            j -= 1
        first = j
        while first > 0 and kind(first - 1) == codes.WAKE:
            first -= 1
        for index in range(first, j + 1):
            seat = self.seats.get(self._strategies.item(index))
            if seat is not None:
                self._ask(seat, self._numbers.item(index), self._words[index].tolist())

    def _ask(self, seat: Seat, i: int, w: list[int]) -> None:
        now, frame, wake = w[W_TS_LOCAL], w[W_VALUE], w[W_REF]
        if seat.answers_at.get(i, 0) > now:
            seat.skipped += 1
            return
        market = seat.market
        market.instrument, market.frame, market.now_ns = i, frame, now
        price_scale, quantity_scale = self._scales[i]
        bar = Bar(i, self.setup.timeframes[frame], w[W_PRICE] / price_scale, w[W_QUANTITY] / quantity_scale, now)
        before = self._lend_memory(seat, i)
        target = seat.strategy.on_bar(bar, market)
        seat.busy_until = seat.answers_at[i] = max(now, seat.busy_until) + seat.think_ns
        if before is not None:
            self._take_memory(seat, before, i, wake)
        if target is not None:
            self._send(seat, i, codes.TARGET, quantity=target.quantity, price=target.price, ref=wake)

    def _lend_memory(self, seat: Seat, i: int) -> np.ndarray[Any, np.dtype[np.int64]] | None:
        """Gives the object its declared memory as the machine holds it; what else it kept does not count."""
        if seat.memory_dtype is None:
            return None
        held: np.ndarray[Any, np.dtype[np.int64]] = self.state[0]["memory"][seat.k, i].copy()
        seat.strategy.memory = held[: seat.memory_dtype.itemsize // 8].copy().view(seat.memory_dtype)[0]  # type: ignore[attr-defined]
        return held

    def _take_memory(self, seat: Seat, before: np.ndarray[Any, np.dtype[np.int64]], i: int, wake: int) -> None:
        """Every changed word becomes a MEMORY row of the answer."""
        after = np.frombuffer(seat.strategy.memory.tobytes(), np.int64)  # type: ignore[attr-defined]
        for at in np.flatnonzero(after != before[: len(after)]):
            self._send(seat, i, codes.MEMORY, ref=int(at), value=int(after[at]))

    def _send(self, seat: Seat, i: int, kind: int, **fields: int) -> None:
        """One row of an answer into the venue's inbox, behind all that are due no later."""
        v = self.physics[0]
        clock = v["clock"]
        n = int(clock["n_inbox"])
        inbox = v["inbox"]
        due = seat.busy_until
        if n >= len(inbox):
            raise NoRoom(
                f"{n} answers are already on their way", where=f"strategy {seat.k}", todo="let it think faster, or wish less often"
            )
        at = n
        while at > 0 and inbox[at - 1]["ts_local"] > due:
            inbox[at] = inbox[at - 1]
            at -= 1
        row = np.zeros(1, ROW)[0]
        row["kind"], row["marks"], row["strategy"], row["instrument"] = kind, codes.WHOLE, seat.k, i
        row["ts_local"] = due
        for name, value in fields.items():
            row[name] = value
        inbox[at] = row
        clock["n_inbox"] = n + 1
        clock["next_due"] = min(int(clock["next_due"]), due)

    # Looking ----------------------------------------------------------------------------------------------------------------

    @property
    def digest(self) -> str:
        """The digest of the machine's whole state."""
        return digest(self.state)

    def worths(self) -> list[float]:
        """Each strategy's profit so far in the reporting currency, at the believed mids, after fees."""
        s = self.state[0]
        fact = s["fact"]
        rule, position = fact["rule"], fact["position"]
        n = len(self.instruments)
        mids = s["top"]["mid"][:n]
        ratio = rule[:n, layout.COST_NUM] / np.maximum(rule[:n, layout.COST_DEN], 1)
        rates = s["group"]["reference"][rule[:n, layout.QUOTE_ASSET]]
        found = []
        for k in range(len(self.setup.strategies)):
            p = position[k, :n]
            value = p["quantity"] * mids * ratio - p["basis"] + p["realised"] - p["charges"]
            found.append(float(np.sum(value * 1e-8 * rates)))
        return found

    def equity(self) -> float:
        """Everything owned at the last rates and mids, open contracts included, in the reporting currency."""
        s = self.state[0]
        cash = s["fact"]["ledger"][0].sum(axis=0)
        return float(np.sum(cash * 1e-8 * s["group"]["reference"][: len(cash)])) + open_gains(s, len(self.instruments))

    def exposure(self) -> float:
        """Gross value of all strategies' positions in the reporting currency."""
        s = self.state[0]
        n = len(self.instruments)
        rule = s["fact"]["rule"]
        held = np.abs(s["fact"]["position"]["quantity"][:, :n].sum(axis=0))
        unit = (
            s["top"]["mid"][:n]
            * rule[:n, layout.COST_NUM]
            / np.maximum(rule[:n, layout.COST_DEN], 1)
            * 1e-8
            * s["group"]["reference"][rule[:n, layout.QUOTE_ASSET]]
        )
        return float(np.sum(held * unit))


def proof_of(state: State) -> int:
    """The first 60 bits of a state's digest, as a batch of the journal carries it."""
    return int(digest(state)[:15], 16)


def stretches(tape: Rows, every_ns: int) -> Iterator[int]:
    """Indices at which a segment is cut so that no stretch is longer than `every_ns`."""
    if len(tape) == 0:
        return
    ts = words(tape)[:, 3]
    first, last = int(ts[0]), int(ts[-1])
    marks = np.arange(first + every_ns, last, every_ns)
    yield from (int(i) for i in np.searchsorted(ts, marks, side="right"))


def open_gains(s: Any, n: int) -> float:
    """What the open contracts among the first n instruments would gain at their mids, in the reporting currency."""
    rule, position, mids = s["fact"]["rule"][:n], s["fact"]["position"][:, :n], s["top"]["mid"][:n]
    worth = position["quantity"].sum(axis=0) * mids * rule[:, layout.COST_NUM] / np.maximum(rule[:, layout.COST_DEN], 1)
    counted = (rule[:, layout.PAYOFF] != codes.SPOT) & (mids > 0.0)
    rates = s["group"]["reference"][rule[:, layout.QUOTE_ASSET]]
    return float(np.sum((worth - position["basis"].sum(axis=0)) * rates * counted)) * 1e-8
