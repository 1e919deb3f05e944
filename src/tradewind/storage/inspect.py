"""What lies in a journal, told without a machine."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from tradewind.domain import codes

from .journal import JournalReader
from .tape import names_of_kinds


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """A journal's figures. Times are ts_local in ns; `tape_rows` counts the rows that TAPE rows stand for."""

    run: str
    machine_hash: str
    made_by: str
    rows: int
    batches: int
    texts: int
    counts: dict[str, int]
    tape_rows: int
    first_ts: int
    last_ts: int
    last_digest: int  # the state digest of the last batch that carried one, as int64; 0: none did
    head: str
    tail_bytes: int  # behind the last commit marker
    tail_why: str


def describe(folder: Path | str) -> Description:
    """The figures of the journal at `folder`, proven on the way. Raises Corrupt, BadUse."""
    reader = JournalReader(folder)
    counts = np.zeros(256, np.int64)
    first_ts = last_ts = digest = tape_rows = 0
    for batch in reader.batches():
        digest = batch.digest or digest
        if not len(batch.rows):
            continue
        counts += np.bincount(batch.rows["kind"].view(np.uint8), minlength=256)
        marks = batch.rows[batch.rows["kind"] == codes.TAPE]
        tape_rows += int(np.sum(marks["value"] - marks["ref"]))
        first_ts = first_ts if batch.first else int(batch.rows["ts_local"][0])
        last_ts = int(batch.rows["ts_local"][-1])
    return Description(
        run=reader.header.run,
        machine_hash=reader.header.machine_hash,
        made_by=reader.header.made_by,
        rows=reader.place.rows,
        batches=reader.place.batches,
        texts=reader.place.texts,
        counts=names_of_kinds(counts.tolist()),
        tape_rows=tape_rows,
        first_ts=first_ts,
        last_ts=last_ts,
        last_digest=digest,
        head=reader.place.chain.hex(),
        tail_bytes=reader.tail.cut_bytes,
        tail_why=reader.tail.cut_why,
    )
