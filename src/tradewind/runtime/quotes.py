"""What would have moved a quote: each thing its price or size follows from, changed until the order is another.

A market maker's quote has no threshold; it follows from the touch, the position, the volatility and the weight. For each, the
smallest step in either direction is searched by running the deciding row again: the order changes at that step and not at
one less, both executed. Steps are what the machine counts in, so there is nothing in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tradewind.domain.instruments import Instrument
from tradewind.strategy.library import market_maker
from tradewind.strategy.selector import FULL

Decides = Callable[[Callable[[Any], None]], bool]
"""Whether the deciding row still makes the same order after a change of the machine's state."""
FAR_TICKS = 64
FAR_PER_MILLE = 1 << 14


class Mover(msgspec.Struct, frozen=True, kw_only=True):
    """One cause of a quote: how much less or more of it makes another order; None: nothing within reach does."""

    name: str
    unit: str
    less: float | None
    more: float | None

    def text(self) -> str:
        """The finding in words."""
        ways = [
            f"{amount:.6g} {self.unit.removesuffix('s') if amount == 1.0 else self.unit} {way}"
            for amount, way in ((self.less, "less"), (self.more, "more"))
            if amount is not None
        ]
        if not ways:
            return f"No {self.name} within reach would have changed it."
        return f"{self.name.capitalize()}: {' or '.join(ways)}, and it would have been another or none."


def movers(decides: Decides, state: Any, submit: Any, x: Instrument) -> list[Mover]:
    """Everything the quote `submit` follows from. state: the machine's record just before the deciding row."""
    k, i = int(submit["strategy"]), int(submit["instrument"])
    parameters = state["parameter"][k]
    inventory = float(parameters[market_maker.MAX_INVENTORY]) * int(submit["quantity"]) / x.lot
    scale = x.lot / 10.0**x.quantity_exponent

    def touch(step: int) -> Callable[[Any], None]:
        def change(s: Any) -> None:
            s["top"]["bid"][i] += step * x.tick
            s["top"]["ask"][i] += step * x.tick

        return change

    def position(step: int) -> Callable[[Any], None]:
        def change(s: Any) -> None:
            s["fact"]["position"]["quantity"][k, i] += step * x.lot

        return change

    def volatility(step: int) -> Callable[[Any], None]:
        def change(s: Any) -> None:
            s["flow"]["variance_ticks"][i] *= max(1.0 + step / 1000.0, 0.0)

        return change

    def weight(step: int) -> Callable[[Any], None]:
        def change(s: Any) -> None:
            s["share"]["weight"][k] += step

        return change

    now = int(state["share"]["weight"][k])
    found = [
        _mover("touch", "ticks", 1.0, decides, touch, (FAR_TICKS, FAR_TICKS)),
        _mover("position", x.base, scale, decides, position, (int(4 * inventory) + 1, int(4 * inventory) + 1)),
        _mover("weight", "of all", 1.0 / FULL, decides, weight, (now, FULL - now)),
    ]
    if parameters[market_maker.GAMMA] > 0.0:
        found.append(_mover("variance", "‰ of it", 1.0, decides, volatility, (1000, FAR_PER_MILLE)))
    return found


def _mover(
    name: str, unit: str, scale: float, decides: Decides, change: Callable[[int], Callable[[Any], None]], most: tuple[int, int]
) -> Mover:
    less = smallest(lambda step: decides(change(-step)), most[0])
    more = smallest(lambda step: decides(change(step)), most[1])
    return Mover(name=name, unit=unit, less=less and less * scale, more=more and more * scale)


def smallest(keeps: Callable[[int], bool], most: int) -> int | None:
    """A step that changes the order while one less keeps it; None where no step tried up to `most` does."""
    kept, step = 0, 1
    while step <= most and keeps(step):
        if step == most:
            return None
        kept, step = step, min(2 * step, most)
    if step > most:
        return None
    while step - kept > 1:
        middle = (kept + step) // 2
        kept, step = (middle, step) if keeps(middle) else (kept, middle)
    return step
