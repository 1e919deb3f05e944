"""TAPE rows get the numbers of the market log, stretches in which nothing was said become one, and no row is lost."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.domain import codes
from tradewind.domain.rows import Rows, rows
from tradewind.runtime import stretches
from tradewind.runtime.logged import Named


class Log:
    """A market log that counts how often it was flushed."""

    flushed = 0

    def flush(self) -> None:
        self.flushed += 1


class Kept:
    """A sink that keeps copies; what it is given may change afterwards."""

    def __init__(self, log: Log) -> None:
        self.log, self.parts, self.digests = log, [rows(0)], [0]

    def append(self, part: Rows, digest: int = 0) -> None:
        assert self.log.flushed == len(self.parts), "rows were named before the log was flushed"
        self.parts.append(part.copy())
        self.digests.append(digest)


def tape(start: int, stop: int, segment: int = 0) -> Rows:
    found = rows(1)
    found["kind"], found["ref"], found["value"], found["quantity"] = codes.TAPE, start, stop, segment
    return found


def said(number: int) -> Rows:
    found = rows(1)
    found["kind"], found["ref"], found["value"] = codes.EVIDENCE, number, -number
    return found


def named() -> tuple[Named, Kept]:
    log: Any = Log()
    kept = Kept(log)
    return Named(kept, log, time.perf_counter_ns), kept


def told(found: Rows) -> list[tuple[int, ...]]:
    return [(int(row["kind"]), int(row["ref"]), int(row["value"]), int(row["quantity"])) for row in found]


def test_a_stretch_that_goes_on_is_one_row_and_waits() -> None:
    names, kept = named()
    for start, shift in ((0, 0), (0, 5), (0, 10)):
        names.shift = shift
        names.append(tape(start, 5))
    assert len(kept.parts) == 1
    names.append(np.concatenate([tape(5, 7), said(1), tape(7, 9)]))
    assert told(kept.parts[1]) == [(codes.TAPE, 0, 17, 0), (codes.EVIDENCE, 1, -1, 0)]
    names.shift = 0
    names.append(tape(0, 3, segment=1))
    names.flush(digest=7)
    assert told(kept.parts[2]) == [(codes.TAPE, 17, 19, 0)]
    assert told(kept.parts[3]) == [(codes.TAPE, 0, 3, 1)]
    assert kept.digests == [0, 0, 0, 7]
    names.flush()
    assert len(kept.parts) == 4


PIECES = st.lists(st.lists(st.one_of(st.integers(1, 9), st.none()), max_size=5), max_size=12)


@settings(max_examples=100)
@given(PIECES, st.integers(0, 100), st.sampled_from([1, 3000]))
def test_every_row_is_told_once_in_order(pieces: list[list[int | None]], shift: int, many: int) -> None:
    """Numbers are stretches that long, nothing is a row that was said, `many` times."""
    names, kept = named()
    names.shift, at, number = shift, 0, 0
    expected_said, expected = 0, []
    for piece in pieces:
        part = [rows(0)]
        for length in piece:
            if length is None:
                part += [said(number + k) for k in range(many if number == 0 else 1)]
                number += len(part)
                expected_said += many if expected_said == 0 else 1
            else:
                part.append(tape(at, at + length))
                expected += list(range(at + shift, at + length + shift))
                at += length
        names.append(np.concatenate(part))
    names.flush()
    got = np.concatenate(kept.parts)
    marks = got[got["kind"] == codes.TAPE]
    assert [i for mark in marks for i in range(int(mark["ref"]), int(mark["value"]))] == expected
    assert int((got["kind"] == codes.EVIDENCE).sum()) == expected_said


@pytest.mark.parametrize("n", [0, 1])
def test_interpreted_and_compiled_are_equal(n: int) -> None:
    came = np.concatenate([tape(4, 6), said(1), said(2), tape(6, 8), said(3), tape(8, 9)]).view(np.int64).reshape(-1, 8)
    found = []
    for function in (stretches.name_rows, getattr(stretches.name_rows, "py_func", stretches.name_rows)):
        kept = np.zeros((9, 8), np.int64)
        kept[0] = tape(2, 4 + 50).view(np.int64)
        found.append((*function(came, 50, kept, n), kept.tobytes()))
    assert found[0] == found[1]
    assert found[0][:2] == (6, 5)
