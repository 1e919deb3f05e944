"""Recovery: how a run goes on after its process died, from its journal and nothing else.

The same machine re-runs what is recorded and compares every row (`Resumed`): nothing is lost, nothing is said twice.
Another machine, after an upgrade, believes only facts (`take_up`): it folds the journal, warms its opinions over the
market rows the journal names while no strategy has a right, and gives the simulated venue back what was live or under way.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tradewind.domain import codes, layout, orders
from tradewind.domain.errors import Corrupt
from tradewind.domain.ports import Segments, Sink
from tradewind.domain.rows import ROW, ROW_BYTES, Rows
from tradewind.domain.rows import rows as blank_rows
from tradewind.engine.compose import Machine
from tradewind.engine.prelude import Prelude
from tradewind.engine.snapshot import State, facts_digest, fresh_state, fresh_venue, restore
from tradewind.storage.journal import JournalReader, JournalWriter

from .replay import groups_of
from .session import Session

Look = Callable[[Session, int], None]
Place = tuple[int, int]
"""Segment and index of the next tape row."""
NOWHERE: Place = (-1, 0)


class Resumed:
    """A journal sink that recognises what is already recorded: those rows are compared, only what comes after is written.

    TAPE rows may be cut differently by another pace; they are matched by the tape rows they cover.
    """

    def __init__(self, recorded: Rows, sink: Sink) -> None:
        self.own = recorded[recorded["kind"] != codes.TAPE]
        self.sink = sink
        self.matched = 0
        self.place = place_of(recorded)

    @property
    def caught_up(self) -> bool:
        """Whether everything recorded has come again."""
        return self.matched == len(self.own)

    def append(self, rows: Rows, digest: int = 0) -> Any:
        """Compares or writes. Raises Corrupt where the run goes another way than its journal."""
        fresh = self._unseen(rows[self._compare(rows) :])
        return self.sink.append(fresh, digest) if len(fresh) else None

    def _compare(self, rows: Rows) -> int:
        """Holds the rows against the recorded ones; returns how many of them were recorded, TAPE rows between included."""
        at = np.flatnonzero(rows["kind"] != codes.TAPE)
        n = min(len(at), len(self.own) - self.matched)
        if n == 0:
            return 0
        expected, came = self.own[self.matched : self.matched + n], rows[at[:n]]
        bad = np.flatnonzero((_bytes(came) != _bytes(expected)).any(axis=1))
        if len(bad):
            raise Corrupt(
                "the run goes another way than its journal", where=f"own row {self.matched + int(bad[0])}",
                todo="replay it to see where",
            )  # fmt: skip
        self.matched += n
        return int(at[n - 1]) + 1

    def _unseen(self, rows: Rows) -> Rows:
        """Rows without the tape stretches already recorded."""
        keep = np.ones(len(rows), bool)
        rows = rows.copy()
        for i in np.flatnonzero(rows["kind"] == codes.TAPE):
            row = rows[i]
            segment, stop = int(row["quantity"]), int(row["value"])
            if (segment, stop) <= self.place:
                keep[i] = False
            elif segment == self.place[0] and int(row["ref"]) < self.place[1]:
                row["ref"] = self.place[1]
        return rows[keep]


def _bytes(rows: Rows) -> Any:
    return np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), ROW_BYTES)


def place_of(recorded: Rows) -> Place:
    """The place behind the last tape row a journal names."""
    tape = recorded[recorded["kind"] == codes.TAPE]
    return (int(tape[-1]["quantity"]), int(tape[-1]["value"])) if len(tape) else NOWHERE


def recorded_rows(folder: Path) -> Rows:
    """All rows of a journal up to its last commit marker."""
    parts = [batch.rows for batch in JournalReader(folder).batches() if len(batch.rows)]
    return np.concatenate(parts) if parts else np.zeros(0, ROW)


def upgraded(recorded: Rows) -> bool:
    """Whether a journal was taken up by its facts before: then its rows are no longer those of one machine."""
    return bool((recorded["kind"] == codes.UPGRADE).any())


# Taking up by facts ----------------------------------------------------------------------------------------------------------


def fold_rows(machine: Machine, recorded: Rows) -> State:
    """The state of which only the facts are known: every recorded row through `portfolio.facts`, by this machine."""
    state = fresh_state(machine)
    machine.fold(state, recorded)
    return state


def take_up(session: Session, recorded: Rows, tape: Segments, look: Look, *, kept_from: int = 0) -> Place:
    """Puts a fresh session where the journal ends, by facts alone; returns the place of the next tape row.

    No command is emitted and none is sent. Needs a session without journal; the caller joins it to one afterwards. look: called
    with session and time where the journal said something. kept_from: the first segment that retention has left.
    """
    facts = fold_rows(session.machine, recorded)
    seats, session.seats = session.seats, {}
    _warm(session, recorded, tape, look, kept_from)
    session.seats = seats
    now = max(int(session.state["clock"]["now"][0]), int(recorded["ts_local"].max()))
    session.state["clock"]["now"] = now
    session.state["fact"] = facts["fact"]
    _remember(session, recorded)
    _owe(session.state[0], session.machine)
    restore(session.physics, fresh_venue(session.machine))
    session.prelude.set_up_venue(session.physics)
    Venue(session, recorded, now).rebuild()
    segment, stop = place_of(recorded)
    return (0, 0) if segment < 0 else (segment, stop)


def _warm(session: Session, recorded: Rows, tape: Segments, look: Look, kept_from: int) -> None:
    """Opinions over the recorded market, with the facts of the time, while nobody has a right to trade.

    All that is left of the tape is read, because a book begins at its snapshot, and equity's peak, which the drawdown breaker
    needs, with the first row.
    """
    s = session.state[0]
    session.state["fact"] = np.zeros(1, session.state.dtype)["fact"]
    number, segment = -1, blank_rows(0)
    for group in groups_of(recorded):
        if int(group[0]["kind"]) != codes.TAPE:
            session.machine.fold(session.state, np.ascontiguousarray(group))
            continue
        for row in group:
            if int(row["quantity"]) != number:
                number = int(row["quantity"])
                segment = tape.segment(number) if number >= kept_from else segment
            if number < kept_from:
                continue
            s["fact"]["right"][:] = 0
            s["fact"]["working"][:] = 0
            session.play(segment, number, int(row["ref"]), int(row["value"]))
        look(session, int(s["clock"]["now"]))


def _remember(session: Session, recorded: Rows) -> None:
    """What is no fact but stands in the journal too: memories of Python strategies, the number of the last wake, counts."""
    s = session.state[0]
    for row in recorded[recorded["kind"] == codes.MEMORY]:
        s["memory"][int(row["strategy"]), int(row["instrument"]), int(row["ref"])] = row["value"]
    wakes = recorded[recorded["kind"] == codes.WAKE]
    s["clock"]["wake_number"] = int(wakes["ref"].max()) if len(wakes) else 0
    s["noted"][:] = np.zeros(1, s["noted"].dtype)[0]
    count, kind = s["count"], recorded["kind"]
    for name, of in (
        ("submits", codes.SUBMIT), ("cancels", codes.CANCEL), ("fills", codes.CHARGE), ("woken", codes.WAKE),
        ("answers", codes.TARGET),
    ):  # fmt: skip
        count[name] = int((kind == of).sum())
    told = recorded["value"][kind == codes.REPORT]
    for name, of in (("acks", codes.ACKED), ("rejects", codes.REJECTED_BY_VENUE), ("expired", codes.EXPIRED_BY_VENUE)):
        count[name] = int((told == of).sum())
    count["refused"] = 0


def _owe(s: Any, machine: Machine) -> None:
    """An arbitrage owes what its pairs left open: it began with nothing, so its net position is what is to be hedged."""
    rule, group = s["fact"]["rule"], s["group"]
    for k, module in enumerate(machine.strategies):
        if module.NAME != "arbitrage":
            continue
        for g in group[group["n_members"] > 0]:
            members = g["member"][: int(g["n_members"])]
            held = s["fact"]["position"][k, members]["quantity"]
            s["arbitrage"][k, int(members[0])]["owed"] = int((held * rule[members, layout.BASE_NUM]).sum())


class Venue:
    """Gives a fresh simulated venue the orders that live on by the facts.

    What it never confirmed is under way again, from the moment it was sent; what it confirmed rests with the whole level
    ahead of it, the most pessimistic place in the queue; cancels it has not answered are under way. Reports that were on
    their way when the process died are lost with the simulated venue: an order filled there but never told is not filled.
    """

    def __init__(self, session: Session, recorded: Rows, now: int) -> None:
        self.s, self.v, self.now = session.state[0], session.physics[0], now
        kind, value = recorded["kind"], recorded["value"]
        self.acked = set(recorded["ref"][(kind == codes.REPORT) & (value == codes.ACKED)].tolist())
        self.cancels = {int(row["ref"]): row for row in recorded[kind == codes.CANCEL]}
        trades = value[kind == codes.FILL]
        self.v["clock"]["trade_id"] = int(trades.max()) if len(trades) else 0  # never told twice, or facts would refuse it
        self.v["clock"]["now"] = now

    def rebuild(self) -> None:
        """Every live order, in the order of their numbers."""
        table = self.s["fact"]["order"]
        live = table[(table["status"] > orders.FREE) & (table["status"] < orders.FIRST_FINAL)]
        requests = []
        for o in live[np.argsort(live["id"])]:
            number, immediate = int(o["id"]), int(o["otype"]) == codes.LIMIT_IOC
            if number not in self.acked or immediate:
                requests.append((int(o["sent_ns"]), codes.SUBMIT, o))
            elif int(o["status"]) != orders.UNKNOWN:
                self._rest(o)
            if number in self.cancels and int(o["status"]) == orders.CANCELLING:
                requests.append((int(self.cancels[number]["ts_local"]), codes.CANCEL, o))
        for sent, kind, o in sorted(requests, key=lambda request: request[0]):
            self._send(sent, kind, o)

    def _rest(self, o: Any) -> None:
        i, side, price = int(o["instrument"]), int(o["side"]), int(o["price"])
        slot = int(o["id"]) & (len(self.v["resting"]) - 1)
        r, lane = self.v["resting"][slot], self.v["lane"][i]
        r["id"], r["live"], r["instrument"], r["side"], r["price"], r["otype"] = o["id"], 1, i, side, price, o["otype"]
        r["leaves"], r["traded"], r["ahead"] = int(o["quantity"]) - int(o["filled"]), 0, self._standing(i, side, price)
        n = int(lane["n_rest"][side])
        lane["slot"][side, n] = slot
        lane["n_rest"][side] = n + 1
        self.v["clock"]["n_at_rest"] += 1
        prices = self.v["resting"]["price"][lane["slot"][side, : n + 1]]
        near, far = (prices.max(), prices.min()) if side == codes.BUY else (prices.min(), prices.max())
        lane["near"][side], lane["far"][side] = near, far

    def _standing(self, i: int, side: int, price: int) -> int:
        depth = int(self.s["book"][i]["depth"][side])
        keys = self.s["level_key"][i, side, :depth]
        key = price if side == codes.BUY else -price
        at = int(np.searchsorted(keys, key))
        return int(self.s["level_quantity"][i, side, at]) if at < depth and keys[at] == key else 0

    def _send(self, sent: int, kind: int, o: Any) -> None:
        desk = int(self.v["schedule"][int(o["instrument"])]["desk"])
        d, ring = self.v["desk"][desk], self.v["asked"][desk]
        a = ring[int(d["ask_tail"]) & (len(ring) - 1)]
        due = max(sent + int(d["to_venue_ns"]), self.now, int(d["last_ask"]))
        a["due"], a["kind"], a["id"], a["instrument"], a["side"] = due, kind, o["id"], o["instrument"], o["side"]
        a["price"], a["otype"], a["quantity"] = o["price"], o["otype"], int(o["quantity"]) - int(o["filled"])
        d["ask_tail"] += 1
        d["last_ask"] = due
        self.v["clock"]["next_due"] = min(int(self.v["clock"]["next_due"]), due)


def announce(writer: JournalWriter, session: Session, wrote: str) -> Rows:
    """The rows that tell of the take-up: UPGRADE (ref: text naming both machines, value: 60 bits of the facts' digest), then
    the parameters now in force. Returns them after they are written."""
    own = Prelude(session.machine, session.setup, 0).rows()
    own = own[own["kind"] == codes.PARAMETER]
    told = blank_rows(1 + len(own))
    told[1:] = own
    told["ts_local"] = int(session.state["clock"]["now"][0])
    told[0]["kind"], told[0]["marks"], told[0]["strategy"] = codes.UPGRADE, codes.WHOLE, -1
    told[0]["ref"] = writer.intern(f"machine {wrote} → {session.machine.hash}")
    told[0]["value"] = int(facts_digest(session.state)[:15], 16)
    writer.append(told)
    return told
