"""Labels: what was false in a tape, written down as JSON lines, and which verdicts call it by its name.

    {"kind": "decimal_shift", "source": "kraken/depth", "instrument": "kraken:BTC/USD", "start_ns": 1, "end_ns": 2, "params": {}}

`source` is a venue, or venue/channel; `instrument` a name as in the tape, or "*" for every one of the venue. `params` is free;
`hard` (default true) says whether the fault counts for recall, `magnitude` places a soft one on its curve, `by_nature` (default
false) says that the source does the same of its own so often that nobody could tell it from nature.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from tradewind.domain import reasons
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import Instrument

KINDS: dict[str, frozenset[int]] = {
    "frozen_feed": frozenset({reasons.STALE_FEED, reasons.STREAM_DOWN}),
    "stale_book": frozenset({reasons.STALE_FEED, reasons.QUOTE_DIFFERS, reasons.FROZEN_FEED}),
    "stuck_price": frozenset({reasons.FROZEN_FEED}),
    "decimal_shift": frozenset({reasons.WRONG_SCALE, reasons.CHECKSUM_WRONG}),
    "unit_change": frozenset({reasons.WRONG_SCALE, reasons.CHECKSUM_WRONG}),
    "wrong_symbol": frozenset({reasons.WRONG_INSTRUMENT}),
    "bad_tick": frozenset({reasons.IMPOSSIBLE_JUMP, reasons.OFF_CONSENSUS}),
    "wick": frozenset({reasons.IMPOSSIBLE_JUMP, reasons.LONG_WICK}),
    "drift": frozenset({reasons.OFF_CONSENSUS}),
    "crossed_book": frozenset({reasons.CROSSED_BOOK, reasons.CHECKSUM_WRONG}),
    "wrong_candle": frozenset({reasons.BROKEN_BAR, reasons.CANDLE_DIFFERS, reasons.BAD_PRICE, reasons.BAD_QUANTITY}),
    "duplicated": frozenset({reasons.TOLD_TWICE}),
    "out_of_order": frozenset({reasons.OUT_OF_ORDER, reasons.CHAIN_BROKEN, reasons.CHECKSUM_WRONG}),
    "partial_gap": frozenset(
        {reasons.HOLE_IN_STREAM, reasons.CHAIN_BROKEN, reasons.CHECKSUM_WRONG, reasons.TRADES_MISSING, reasons.STREAM_DOWN}
    ),
    "replayed": frozenset({reasons.OLD_MESSAGE, reasons.TOLD_TWICE, reasons.TIME_BACKWARD, reasons.CHECKSUM_WRONG}),
    "clock_jump": frozenset({reasons.CLOCK_JUMPED, reasons.TIME_BACKWARD}),
}
"""The closed list of kinds, each with the verdicts that name it. A checksum proves a fault of content without naming its cause."""

FROM_WORLD = {
    "dropped": "partial_gap", "duplicated": "duplicated", "swapped": "out_of_order", "frozen": "frozen_feed",
    "decimal_shift": "decimal_shift", "crossed": "crossed_book", "stale_book": "stale_book", "wick": "wick",
    "clock_jump": "clock_jump", "gap": "partial_gap", "lying": "drift",
}  # fmt: skip
"""What the seeded world's own faults are called here."""


class Label(msgspec.Struct, kw_only=True, frozen=True):
    """One fault: times are ts_local in ns, `end_ns` the first moment at which the source is sound again."""

    kind: str
    source: str
    instrument: str
    start_ns: int
    end_ns: int
    params: dict[str, Any] = {}

    @property
    def hard(self) -> bool:
        """Whether it must be found."""
        return bool(self.params.get("hard", True))

    @property
    def by_nature(self) -> bool:
        """Whether its source does the same by nature, too often to be told."""
        return bool(self.params.get("by_nature", False))

    def befalls(self, instrument: Instrument) -> bool:
        """Whether an instrument is the one meant, or one of them; it may be named without its venue, which is the source's."""
        mine = self.source.split("/")[0] == instrument.venue
        return self.instrument == instrument.name or (mine and self.instrument in ("*", instrument.name.partition(":")[2]))


def read_labels(path: Path, instruments: Sequence[Instrument], span: tuple[int, int] = (0, 1 << 63)) -> list[Label]:
    """The labels of a file, one JSON object a line; `span`: the tape's first and last ts_local.

    Raises BadData naming the line that is none, or that nothing on the tape could answer.
    """
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            label = msgspec.json.decode(line, type=Label)
        except msgspec.DecodeError as error:
            raise BadData(f"is no label: {error}", where=where, expected="kind, source, instrument, start_ns, end_ns") from error
        if label.kind not in KINDS:
            raise BadData(f"unknown kind {label.kind!r}", where=where, expected=", ".join(KINDS))
        if label.end_ns < label.start_ns:
            raise BadData("ends before it starts", where=where, expected="start_ns <= end_ns")
        if not any(label.befalls(x) for x in instruments):
            raise BadData(f"no instrument {label.instrument!r} of {label.source!r} on the tape", where=where,
                          expected=", ".join(x.name for x in instruments[:8]))  # fmt: skip
        if label.source.split("/")[0] not in ("", *(x.venue for x in instruments)):
            raise BadData(f"no source {label.source!r} on the tape", where=where,
                          expected=", ".join(sorted({x.venue for x in instruments})))  # fmt: skip
        if label.end_ns < span[0] or label.start_ns > span[1]:
            raise BadData("lies outside the tape: it could only be missed", where=where,
                          expected=f"times in ns from {span[0]} to {span[1]}, the local times of the tape's rows")  # fmt: skip
        found.append(label)
    return found


def write_labels(path: Path, labels: Iterable[Label]) -> None:
    """The labels as JSON lines, in order of their start."""
    ordered = sorted(labels, key=lambda label: (label.start_ns, label.instrument, label.kind))
    path.write_bytes(b"".join(msgspec.json.encode(label) + b"\n" for label in ordered))


def world_labels(faults: Iterable[Any], hard_lie: float = 0.005, venues: int = 3) -> list[Label]:
    """The truths of a seeded world (`simulation.world.build.Truth`, or their JSON) as labels. venues: how many there are.

    A lie is hard where it stands off the consensus of all venues by `hard_lie`: what two of three tell together is the consensus.
    Silence is from ten seconds on, a jump of the clock from one. A lost message is hard where the venue's proof covers it: what a
    checksum of the ten best levels does not see, nobody can prove.
    """
    plain = [fault if isinstance(fault, dict) else msgspec.to_builtins(fault) for fault in faults]
    plain = [fault for fault in plain if fault["kind"] in FROM_WORLD and not fault.get("genuine")]
    lies = [fault for fault in plain if fault["kind"] == "lying"]
    found = []
    for fault in plain:
        venue, _, pair = str(fault["place"]).partition(":")
        size = abs(float(fault["params"].get("magnitude", 0.0)))
        if fault["kind"] == "lying":
            size = _stands_off(fault, lies, venues)
        hard = {"lying": size >= hard_lie, "clock_jump": size >= 1.0, "dropped": size > 0.0}.get(fault["kind"], True)
        if fault["kind"] in ("frozen", "stale_book"):
            hard = fault["end_ns"] - fault["start_ns"] >= 10_000_000_000
        found.append(
            Label(
                kind=FROM_WORLD[fault["kind"]],
                source=venue,
                instrument=fault["place"] if pair else "*",
                start_ns=fault["start_ns"],
                end_ns=fault["end_ns"],
                params={"hard": hard, "magnitude": size, "world": fault["kind"]},
            )
        )
    return found


def _stands_off(lie: dict[str, Any], lies: Sequence[dict[str, Any]], venues: int) -> float:
    """The furthest a lying venue stands from the median of all venues, a ratio. A lie is a smooth hump over its time."""
    furthest = 0.0
    for step in range(1, 64):
        at = lie["start_ns"] + (lie["end_ns"] - lie["start_ns"]) * step // 64
        told = {str(other["place"]): _told(other, at) for other in lies if other["start_ns"] <= at < other["end_ns"]}
        consensus = median([*told.values(), *[0.0] * max(venues - len(told), 0)])
        furthest = max(furthest, abs(told[str(lie["place"])] - consensus))
    return furthest


def _told(lie: dict[str, Any], at: int) -> float:
    u: float = (at - lie["start_ns"]) / (lie["end_ns"] - lie["start_ns"])
    height = float(lie["params"].get("magnitude", 0.0))
    return height * 16.0 * float(u * u * (1.0 - u) * (1.0 - u))
