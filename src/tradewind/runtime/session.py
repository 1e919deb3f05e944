"""A session: one machine, its venue, its Python strategies and its journal, fed with tape segments.

Backtest, paper over a tape, the demo and recovery are this one class; they differ in where rows come from, how fast, and
what looks on. Rows of the journal leave the compiled driver in the order things happened and are appended as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tradewind.domain import codes, layout, ports
from tradewind.domain.codes import WAKE, WOKEN
from tradewind.domain.errors import MachineFault
from tradewind.domain.instruments import Instrument
from tradewind.domain.reasons import sentence
from tradewind.domain.rows import ROW, ROW_BYTES, Rows, rows, words
from tradewind.engine.compose import Machine, is_plain, straight
from tradewind.engine.prelude import Prelude, Setup
from tradewind.engine.snapshot import State, digest, fresh_state, fresh_venue
from tradewind.strategies.base import Strategy

from .seats import Around, Inbox, Seat, wake_row, word_of

OUT_ROWS = 1 << 16
KEPT_BYTES = 1 << 22  # one batch of the journal
Sink = ports.Sink


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
        self._drive = self._straight = machine.drive
        self._words, self._said = self.state.view(np.int64).data, self.out.view(np.uint8).data
        self._n_out, self._n_wakes = (word_of(machine.state_dtype, "clock", name) for name in ("n_out", "wakes"))
        self._kept = bytearray()  # journal rows of steps that woke somebody, to be appended together
        self.prelude = Prelude(machine, setup, ts_local)
        self.prelude.set_up_venue(self.physics)
        self.instruments: list[Instrument] = list(setup.instruments)
        around = Around(self.state, self.instruments, setup.timeframes, Inbox(self.physics))
        self.seats = {k: Seat(k, strategy, think, around) for k, (strategy, think) in (seats or {}).items()}
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
        self._straight = straight(self._drive)
        if self.journal is not None:
            self.journal.append(prelude)

    # Feeding -------------------------------------------------------------------------------------------------------------

    def play(self, tape: Rows, segment: int, start: int = 0, stop: int | None = None) -> None:
        """Plays rows [start, stop) of a tape segment. Raises MachineFault where a `must` failed.

        All its journal rows are appended when it returns or raises; while strategies are woken they are gathered first.
        """
        stop = len(tape) if stop is None else stop
        drive = self._straight if is_plain(tape) else self._drive
        state, physics, out, words, n_out = self.state, self.physics, self.out, self._words, self._n_out
        n_wakes, said, seats = self._n_wakes, self._said, self.seats
        i, emitted, journalled = start, self.emitted, self.journal is not None
        try:
            while i < stop:
                i, why = drive(state, physics, tape, i, stop, segment, out)
                n = words[n_out]
                emitted += n
                if journalled and n:
                    self._keep(n, more=why == WOKEN)
                if why == WOKEN:
                    row = wake_row(said, n * ROW_BYTES - ROW_BYTES)
                    if row[0] != WAKE or words[n_wakes] > 1:
                        self._ask_all(n)
                    elif row[2] in seats:  # nearly always the last row is the only wake
                        seats[row[2]].ask(row)
                elif why == codes.FAULT:
                    self._check(why)
        finally:
            self.emitted = emitted
            self._flush()
        self.rows += stop - start
        self.at = (segment, stop)

    def _keep(self, n: int, *, more: bool) -> None:
        """The next n journal rows; where more come at once, they wait for them."""
        if more or self._kept:
            self._kept += self._said[: n * ROW_BYTES]
            if len(self._kept) >= KEPT_BYTES:
                self._flush()
        elif self.journal is not None:
            self.journal.append(self.out[:n])

    def _flush(self) -> None:
        if self._kept and self.journal is not None:
            kept, self._kept = self._kept, bytearray()
            self.journal.append(np.frombuffer(kept, ROW))

    def settle(self, until_ns: int) -> None:
        """Lets what is still under way at the venue arrive, up to a time: one CLOCK row."""
        clock = rows(1)
        clock[0]["kind"], clock[0]["marks"], clock[0]["strategy"], clock[0]["ts_local"] = codes.CLOCK, codes.WHOLE, -1, until_ns
        scratch = rows(OUT_ROWS)
        i = 0
        while i < 1:
            i, why = self._drive(self.state, self.physics, clock, i, 1, -2, scratch)
            n = self._words[self._n_out]
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

    def _ask_all(self, n: int) -> None:
        """Asks the strategies of all WAKE rows of the step that ended the call, in their order."""
        missing, at, found = self._words[self._n_wakes], n * ROW_BYTES, []
        while missing > 0 and at > 0:
            at -= ROW_BYTES
            row = wake_row(self._said, at)
            if row[0] == WAKE:
                found.append(row)
                missing -= 1
        for row in reversed(found):
            if row[2] in self.seats:
                self.seats[row[2]].ask(row)

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
