"""`tradewind bench`: our own figures in the form of the peer benchmarks, one JSON line each."""

from __future__ import annotations

from tradewind.domain.errors import BadUse
from tradewind.runtime.config import unknown_name
from tradewind.runtime.options import BenchOptions

from ..command import Answer, Command, Frame, call, summary
from ..emit import Table

ITEMS = ("A", "B", "D", "rooms", "start", "memory")
KEYS = ("item", "peer", "figure", "value", "unit")


def run(options: BenchOptions, frame: Frame) -> Answer:
    """Runs `runtime.bench.bench`, which gives one record a figure."""
    if options.item is not None and options.item not in ITEMS:
        raise unknown_name("item", options.item, ITEMS, where="tradewind bench ITEM")
    if options.n is not None and options.n < 1:
        raise BadUse(
            f"{options.n} is too few", where="--n", expected="a whole number from 1", todo="leave it out for the item's own number"
        )
    lines = [summary(line) for line in call("bench", "bench", options, say=frame.emit.say)]
    return Answer(lines, blocks=[Table("figures", KEYS, [[line.get(key) for key in KEYS] for line in lines])])


BENCH = Command("bench", BenchOptions, KEYS, run)
