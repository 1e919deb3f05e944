"""A description counts what was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tradewind.domain import codes
from tradewind.domain.rows import rows
from tradewind.storage.inspect import describe
from tradewind.storage.journal import JournalWriter, verify

from .journals import HEADER


def test_an_empty_journal(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "j", HEADER).close()
    told = describe(tmp_path / "j")
    assert (told.run, told.rows, told.counts, told.first_ts, told.tail_bytes) == ("r1", 0, {}, 0, 0)


def test_counts_times_and_head(tmp_path: Path) -> None:
    some = rows(6)
    some["kind"] = [codes.TAPE, codes.SUBMIT, codes.TAPE, codes.FILL, codes.CHARGE, -1]
    some["ref"][[0, 2]], some["value"][[0, 2]] = [0, 100], [100, 130]
    some["ts_local"] = np.arange(5, 11)
    with JournalWriter(tmp_path / "j", HEADER) as writer:
        writer.intern("why")
        writer.append(some[:2])
        writer.append(some[2:], digest=9)
        writer.append(rows(0), digest=0)
        head = writer.head
    with open(tmp_path / "j" / "00000.journal", "ab") as file:
        file.write(b"torn")
    told = describe(tmp_path / "j")
    assert told.counts == {"TAPE": 2, "SUBMIT": 1, "FILL": 1, "CHARGE": 1, "kind 255": 1}
    assert (told.rows, told.batches, told.texts, told.tape_rows) == (6, 3, 1, 130)
    assert (told.first_ts, told.last_ts, told.last_digest) == (5, 10, 9)
    assert told.head == head == verify(tmp_path / "j").head
    assert (told.tail_bytes, told.tail_why) == (4, "no batch begins here")
