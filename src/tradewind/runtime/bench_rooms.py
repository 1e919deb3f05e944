"""Nanoseconds of every room: the machine cut short at one point after another, over the same rows.

A room's price cannot be read off a machine whose rooms are inlined into one function. So the machine is composed again with
everything behind a point on its page left out (`CUTS`), each such part runs over the same market rows in turn, and a room
costs what its part takes more than the part before it, each by its fastest of many turns. The last two steps are the
whole machine, with the reports of its own orders, and the driver with the simulated venue. What inlining saves across a
border is booked to the room behind it; differences of a few ns are below what this can tell.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterator

import numpy as np

from tradewind.domain import codes
from tradewind.domain.rows import Rows, rows
from tradewind.engine.compose import FEATURE_HOOKS, STRATEGY_HOOKS, Composition, Machine
from tradewind.engine.prelude import Setup
from tradewind.engine.snapshot import State, fresh_state, restore

from .bench_tapes import begins
from .session import Session

Say = Callable[[str], None]
TURNS = 40
OUT_ROWS = 1 << 16
LATE = ("on_closed_bar", "on_timer")
CUTS: dict[str, dict[str, tuple[str, ...]]] = {
    "reading, time, continuity": {"machine": ("on_market_row", *LATE)},
    "soundness, bars": {"machine": ("on_depth", "on_quote", *LATE)},
    "books, integrity": {"machine": ("on_touch", *LATE)},
    "plausibility, consensus": {"machine": LATE, "features": tuple(FEATURE_HOOKS), "strategies": tuple(STRATEGY_HOOKS)},
    "features, signals": {"strategies": tuple(STRATEGY_HOOKS)},
}
"""Each room, and the functions that are empty in the part that ends with it. Every part has the rooms above it too."""
MACHINE, VENUE = "strategies, selector, risk, orders, facts", "simulated venue, journal rows"


class Part(Machine):
    """A machine some of whose functions do nothing. It has a hash of its own: nobody takes it for the whole."""

    def __init__(self, composition: Composition, empty: dict[str, tuple[str, ...]], *, compiled: bool = True) -> None:
        self.empty = empty
        super().__init__(composition, compiled=compiled)

    def given(self) -> dict[str, str]:
        """The composed pages, the named functions emptied."""
        found = super().given()
        for page, names in self.empty.items():
            tree = ast.parse(found[f"composed.{page}"])
            for function in tree.body:
                if isinstance(function, ast.FunctionDef) and function.name in names:
                    function.body = [ast.Return()]
            found[f"composed.{page}"] = ast.unparse(ast.fix_missing_locations(tree))
        return found


def rooms(
    setup: Setup, tape: Rows, told: Rows, *, turns: int = TURNS, compiled: bool = True, say: Say = lambda text: None
) -> Iterator[tuple[str, float, float]]:
    """Room by room: its name, its ns a market row, and those of all rooms up to it; the fastest of `turns`.

    told: everything the whole machine is told over this tape, the reports of its orders among it.
    """
    whole = Machine(Composition(), compiled=compiled)
    market = told[told["kind"] < codes.REPORT]
    runs: dict[str, Callable[[], float]] = {}
    for name, empty in CUTS.items():
        say(f"rooms: composing the part that ends with {name}")
        runs[name] = _alone(Part(whole.composition, empty, compiled=compiled), market)
    runs[MACHINE] = _alone(whole, told)
    runs[VENUE] = lambda: _driven(whole, setup, tape)
    for run in runs.values():
        run()
    taken = {name: np.zeros(turns) for name in runs}
    for turn in range(turns):
        for name, run in runs.items():
            taken[name][turn] = run()
    before = 0.0
    for name, seconds in taken.items():
        total = float(seconds.min()) * 1e9 / len(tape)
        yield name, total - before, total
        before = total


def _alone(machine: Machine, told: Rows) -> Callable[[], float]:
    """Seconds of one run of a machine without venue over everything it is told."""
    run, state, out = machine.run, fresh_state(machine), rows(OUT_ROWS)
    fresh: State = state.copy()

    def once() -> float:
        restore(state, fresh)
        at, why, began = 0, codes.FULL, time.perf_counter()
        while why in (codes.FULL, codes.WOKEN):
            at, why = run(state, told, at, len(told), out)
        seconds = time.perf_counter() - began
        if why != codes.END:
            raise AssertionError(f"the part stopped at row {at} of {len(told)}: fault {state[0]['clock']['fault']}")
        return seconds

    return once


def _driven(machine: Machine, setup: Setup, tape: Rows) -> float:
    session = Session(machine, setup, begins(tape))
    began = time.perf_counter()
    session.play(tape, 0)
    return time.perf_counter() - began
