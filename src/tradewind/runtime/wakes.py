"""Python strategies asked again: `replay --strategies`.

Every recorded wake is put to an object made for it alone, with the memory the machine holds, before the market the machine
shows. An answer that comes out another way means that the strategy keeps something it did not declare, or looks at
something that is not a row: a clock, a random number, the network.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from tradewind.domain import codes
from tradewind.domain.rows import W_PRICE, W_QUANTITY, W_REF, W_VALUE, Rows, words
from tradewind.engine.snapshot import State
from tradewind.strategies.base import Bar, Market, memory_of

from .planning import Plan
from .seats import asked
from .strategyfile import raised

Answer = tuple[int, int, int]
"""instrument, quantity, price"""
Word = tuple[int, int, int]
"""instrument, word, value"""


class Wakes:
    """Collects what fresh objects answer and what the journal says was answered."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.asked = 0
        self.stretches = 0  # of tape, so far: a run asks nobody while it settles behind the last one
        self._asked_at: dict[tuple[int, int], int] = {}
        self._busy_until: dict[int, int] = {}
        self._answers_at: dict[tuple[int, int], int] = {}
        self._due: dict[tuple[int, int], int] = {}  # when the answer to (strategy, wake) arrives
        self._came: dict[tuple[int, int], Answer] = {}
        self._recorded: dict[tuple[int, int], Answer] = {}
        self._words_came: dict[int, list[tuple[int, int, Word]]] = defaultdict(list)
        self._words_recorded: dict[int, list[Word]] = defaultdict(list)

    def hear(self, rows: Rows) -> None:
        """Recorded answers."""
        for row in rows[np.isin(rows["kind"], (codes.TARGET, codes.MEMORY))]:
            k, i = int(row["strategy"]), int(row["instrument"])
            if row["kind"] == codes.TARGET:
                self._recorded[k, int(row["ref"])] = (i, int(row["quantity"]), int(row["price"]))
            else:
                self._words_recorded[k].append((i, int(row["ref"]), int(row["value"])))

    def ask(self, state: State, out: Rows, on_tape: bool) -> None:
        """Puts the wakes a step ended with to fresh objects; `state` is as it was for the first ones."""
        last = self.stretches - on_tape
        for index in np.flatnonzero(out["kind"] == codes.WAKE).tolist():
            self._ask(state, out[index : index + 1], last)

    def _ask(self, state: State, row: Rows, stretch: int) -> None:
        k, i, now = int(row[0]["strategy"]), int(row[0]["instrument"]), int(row[0]["ts_local"])
        if k not in self.plan.seats or self._answers_at.get((k, i), 0) > now:
            return
        strategy, think_ns = self.plan.make_seats()[k]
        w = words(row)[0]
        frame = int(w[W_VALUE])
        x = self.plan.setup.instruments[i]
        market = Market(state, k, list(self.plan.setup.instruments))
        market.instrument, market.frame, market.now_ns = i, frame, now
        close, volume = int(w[W_PRICE]) / 10.0**x.price_exponent, int(w[W_QUANTITY]) / 10.0**x.quantity_exponent
        dtype = memory_of(strategy)
        held = state[0]["memory"][k, i].copy()
        if dtype is not None:
            strategy.memory = held[: dtype.itemsize // 8].copy().view(dtype)[0]  # type: ignore[attr-defined]
        bar = Bar(i, self.plan.setup.timeframes[frame], close, volume, now)
        try:
            target = strategy.on_bar(bar, market)
        except (Exception, SystemExit) as error:  # whatever a user's strategy raises is told as its own error
            raise raised(strategy, error, asked(bar, market)) from error
        self.asked += 1
        due = self._busy_until[k] = self._answers_at[k, i] = max(now, self._busy_until.get(k, 0)) + think_ns
        wake = int(w[W_REF])
        self._due[k, wake], self._asked_at[k, wake] = due, stretch
        if dtype is not None:
            after = np.frombuffer(strategy.memory.tobytes(), np.int64)  # type: ignore[attr-defined]
            changed = np.flatnonzero(after != held[: len(after)])
            self._words_came[k] += [(due, stretch, (i, int(at), int(after[at]))) for at in changed]
        if target is not None:
            self._came[k, wake] = (i, target.quantity, target.price)

    def difference(self, now: int) -> str | None:
        """The first answer that is another one; what would only arrive after `now` is not missed."""
        for key in sorted(self._came.keys() | self._recorded.keys(), key=lambda key: key[1]):
            came, recorded = self._came.get(key), self._recorded.get(key)
            if came != recorded and not (recorded is None and not self._arrives(self._due[key], self._asked_at[key], now)):
                name = self.plan.names[key[0]]
                return f"wake {key[1]} of {name}: recorded {_text(recorded)}, a fresh object answers {_text(came)}"
        for k in sorted(self._words_recorded.keys() | self._words_came.keys()):
            if [word for due, at, word in self._words_came[k] if self._arrives(due, at, now)] != self._words_recorded[k]:
                return f"memory of {self.plan.names[k]}: other words were recorded than a fresh object writes"
        return None

    def _arrives(self, due: int, asked_at: int, now: int) -> bool:
        return due <= now and asked_at < self.stretches


def _text(answer: Answer | None) -> str:
    return "no answer" if answer is None else "instrument {} quantity {} price {}".format(*answer)
